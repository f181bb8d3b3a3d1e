/** Templates of questions that buyers ask, by category; `{product}` is what the brand sells, and none names a brand. Shared with the web page. */
(function (/** @type {any} */ root, /** @type {() => Diag.QuestionTemplates} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.questionTemplates = factory();
  }
})(this, function () {
  'use strict';

  const CATEGORIES = [
    { id: 'any', name: '通用', example: '手冲咖啡壶', questions: ['{product}推荐哪个牌子？', '买{product}，性价比高的品牌有哪些？', '第一次买{product}，选哪个牌子不容易踩坑？', '{product}哪个品牌口碑好？', '现在{product}有哪些知名品牌？'] },
    { id: 'home', name: '家居家电', example: '扫地机器人', questions: ['小户型适合买哪个牌子的{product}？', '{product}哪个品牌质量好、耐用？', '送长辈{product}，选哪个牌子省心？', '{product}哪个品牌售后好？'] },
    { id: 'beauty', name: '美妆护肤', example: '防晒霜', questions: ['敏感肌用哪个牌子的{product}好？', '学生党平价{product}有哪些品牌推荐？', '{product}哪个品牌成分安全？', '口碑好的国货{product}有哪些？'] },
    { id: 'food', name: '食品餐饮', example: '燕麦奶', questions: ['{product}哪个牌子好喝或好吃？', '配料干净的{product}有哪些品牌？', '健身期间适合选哪个品牌的{product}？', '送礼买哪个牌子的{product}体面？'] },
    { id: 'mother', name: '母婴', example: '儿童餐椅', questions: ['{product}哪个品牌安全？', '新手父母买{product}，有哪些品牌推荐？', '{product}国产和进口品牌怎么选？'] },
    { id: 'education', name: '教育培训', example: '少儿编程课', questions: ['{product}哪家机构好？', '线上{product}有哪些靠谱的品牌？', '{product}性价比高的有哪些？'] },
    { id: 'software', name: '企业软件', example: '客户管理系统', questions: ['中小企业用哪个{product}好？', '{product}有哪些主流厂商？', '上手快的{product}推荐哪几款？', '{product}哪家的服务好？'] },
    { id: 'service', name: '本地服务', example: '搬家公司', questions: ['{product}哪家靠谱？', '{product}口碑好的品牌有哪些？', '找{product}，价格透明的有哪几家？'] },
  ];

  return { CATEGORIES };
});
