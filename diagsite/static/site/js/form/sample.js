// An example with fictional brands that the demo platform mentions in its answers.

export const sampleDraft = {
  brand: "山岚",
  aliases: "Shanlan",
  competitors: [
    ["云栖壶", "云栖"],
    ["木石坊", ""],
  ],
  questions: [
    ["入门手冲咖啡壶推荐哪个牌子？"],
    ["三百元左右的手冲咖啡壶，送朋友买哪款好？"],
    ["细口手冲壶哪个品牌出水最稳？"],
  ],
  platforms: [],
  repeats: 2,
};
