'use strict';

const assert = require('node:assert/strict');
const { listSectionNames } = require('./screens');

async function fillForm(phone, { platforms, questions, repeats = 1 }) {
  await phone.locator('.platform-name').first().waitFor();
  for (const chosen of await phone.locator('.platform.is-selected').all()) await chosen.tap();
  for (const name of platforms) await phone.locator('.platform').filter({ hasText: name }).first().tap();
  await phone.locator('#field-brand input').fill('山岚');
  await phone.locator('#field-competitor0 input').first().fill('云栖壶');
  for (const [index, text] of questions.entries()) await phone.locator(`#field-question${index} textarea`).fill(text);
  if (repeats > 1) await phone.locator('.segment').nth(repeats - 1).tap();
}

/**
 * Follow 24 answers, 6 of them delayed until the page is hidden: how often the page calls setData, with how many bytes,
 * and whether anything moves.
 */
async function measureSetData(pages) {
  const phone = await pages.openPhone();
  await pages.site.send('behave', { after: [0.2, 8] });
  await pages.site.send('hold'); // or the report could replace the progress before the page is hidden
  await fillForm(phone, { platforms: ['p1', 'p2', 'p3', 'last'], questions: ['一？', '二？', '三？'], repeats: 2 });
  await phone.locator('#start').tap();
  await phone.locator('.connection.live').waitFor();
  await phone.resetMeasurements();
  const getPosition = async () => (await phone.locator('.answer').last().boundingBox()).y;
  const before = await getPosition();
  await phone.waitForFunction('__host.page().data.done >= 18');
  await phone.hide();
  const { calls, bytes, times } = await phone.getMeasurements();
  const shown = await phone.evaluate('__host.page().data.done');
  const moved = await getPosition() - before;
  await pages.site.send('release');
  await phone.waitForTimeout(1000); // the other answers arrive
  const hidden = (await phone.getMeasurements()).calls - calls;
  await phone.show();
  await phone.locator('#headline').waitFor();
  const violations = await phone.closePhone();
  return { calls, size: bytes / calls, perAnswer: bytes / shown, apart: Math.min(...times.slice(1).map((time, index) => time - times[index])), hidden, moved, violations };
}

async function testDiagnosisPage(t, pages) {
  async function withPhone(options, run) {
    const phone = await pages.openPhone(options);
    await run(phone);
    assert.deepEqual(await phone.closePhone(), []);
  }
  const percent = async (phone) => parseInt(await phone.locator('#percent').textContent(), 10);

  async function startSample(phone) {
    await phone.locator('.platform-name').first().waitFor();
    await phone.locator('#sample').tap();
    await phone.locator('#start').tap();
    await phone.locator('#progress, #headline').waitFor();
  }

  await t.test('a diagnosis is started, followed over one socket, and its report is shown', () => withPhone({}, async (phone) => {
    await pages.site.send('hold'); // or it could end before the page is open
    await fillForm(phone, { platforms: ['p1', 'last'], questions: ['一？', '二？'] });
    await phone.locator('#start').tap();
    await phone.locator('.connection.live').waitFor();
    await phone.locator('.answer.valid').nth(1).waitFor();
    await pages.site.send('release');
    await phone.locator('#headline').waitFor();
    assert.equal(await phone.locator('.answer.valid').count(), 4);
    await phone.waitForFunction('__host.wx.sockets === 0');
    assert.equal((await phone.getMeasurements()).opened, 1);
  }));

  await t.test('the report', async (reportTest) => {
    const phone = await pages.openPhone();
    await startSample(phone);
    await phone.locator('#headline').waitFor();
    const id = await phone.evaluate('__host.page().id');
    const { token } = await phone.evaluate('wx.getStorageSync("diag.session")');
    async function report() {
      const answer = await fetch(`${pages.site.url}/api/diagnoses/${id}/report`, { headers: { Authorization: `Bearer ${token}` } });
      return answer.json();
    }
    const ownFigures = async () => (await report()).brands.find((brand) => brand.is_own);
    const answerWithOwnBrand = phone.locator('.answer').filter({ has: phone.locator('.chip.own') }).first();

    await reportTest.test('it has a headline and the demo banner', async () => {
      assert.match(await phone.locator('#headline').textContent(), /^“山岚”出现在 \d+% 的 AI 回答里，/);
      assert.equal(await phone.locator('.demo-banner').textContent(), '演示数据，并非真实平台的回答');
      assert.equal(await phone.locator('.answer.valid').count(), 12);
    });

    await reportTest.test('the bars show the figures of the report, with whiskers at the ends of the intervals', async () => {
      const own = (await ownFigures()).figures;
      const shown = phone.locator('#figures .figure').first();
      assert.equal(await shown.locator('.figure-rate').textContent(), `${Math.round(own.mention_rate * 100)}%`);
      const [track, whisker, value] = await Promise.all(['.track', '.whisker', '.value'].map((name) => shown.locator(name).boundingBox()));
      const assertAt = (x, rate) => assert.ok(Math.abs((x - track.x) / track.width - rate) < 0.02, `${x} is not at ${rate}`);
      assertAt(whisker.x, own.mention_rate_low);
      assertAt(whisker.x + whisker.width, own.mention_rate_high);
      assertAt(value.x + value.width, own.mention_rate);
      assert.equal(await phone.locator('.scope').first().textContent(), '针对本问题集');
    });

    await reportTest.test('each platform has its own bar', async () => {
      const rates = await phone.locator('#platforms .figure-rate').allTextContents();
      const figures = Object.values((await ownFigures()).by_platform);
      assert.deepEqual(rates, figures.map(({ mention_rate: rate }) => `${Math.round(rate * 100)}%`));
    });

    await reportTest.test('an answer opens with its brands marked and its source', async () => {
      await answerWithOwnBrand.tap();
      await phone.locator('.detail .mark.own').first().waitFor();
      assert.equal(await phone.locator('.detail .mark.own').first().textContent(), '山岚');
      assert.match(await phone.locator('.detail .source').first().textContent(), /^AI/);
      await answerWithOwnBrand.tap();
      await phone.locator('.detail').first().waitFor({ state: 'detached' });
    });

    await reportTest.test('a cell of the heat map opens its answer', async () => {
      const cells = phone.locator('#heatmap .cell');
      assert.equal(await cells.count(), 6);
      await cells.last().tap();
      await phone.locator('.group').nth(2).locator('.detail .answer-text').waitFor();
      await phone.waitForFunction('document.querySelector(".group:last-of-type .detail")?.getBoundingClientRect().top < innerHeight');
    });

    await reportTest.test('a rejected mention is no longer counted, and the report is updated', async () => {
      const before = (await ownFigures()).figures.mentions;
      await answerWithOwnBrand.tap();
      await phone.evaluate('__host.wx.tapIndex = 1');
      const marks = phone.locator('.detail .mark.own');
      await phone.waitForFunction('document.querySelectorAll(".detail .answer-text").length === 2'); // including that of the cell
      const count = await marks.count();
      await marks.first().tap();
      await phone.waitForFunction(`document.querySelectorAll('.detail .mark.own').length === ${count - 1}`);
      assert.deepEqual(await phone.evaluate('__host.wx.sheets'), [['是“山岚”', '不是“山岚”']]);
      const { mentions, valid } = (await ownFigures()).figures;
      assert.equal(mentions, before - 1);
      await phone.locator('#figures .range', { hasText: `${mentions} / ${valid} 条回答提到` }).first().waitFor();
    });

    await reportTest.test('the correction is listed, and undone by a tap', async () => {
      const before = (await ownFigures()).figures.mentions;
      await phone.locator('#corrections .section-toggle').tap();
      assert.match(await phone.locator('.correction').textContent(), /“山岚”：不是这个品牌/);
      await phone.locator('.correction .link').tap();
      await phone.locator('#corrections').waitFor({ state: 'detached' });
      assert.equal((await ownFigures()).figures.mentions, before + 1);
    });

    await reportTest.test('another spelling is added to a brand and looked for in all answers', async () => {
      await phone.evaluate('__host.wx.content = "岚牌"; undefined');
      await phone.locator('#figures .tools .link', { hasText: '添加别名' }).first().tap();
      await phone.locator('#figures .range', { hasText: '岚牌' }).waitFor();
    });

    await reportTest.test('another brand is added to this report, without a call, and removed again', async () => {
      await phone.evaluate('__host.page().addCompetitor({ currentTarget: { dataset: { name: "松间集" } } }); undefined');
      const row = phone.locator('.brand-row', { hasText: '松间集' });
      await row.waitFor();
      await row.locator('.figure-name').tap();
      await row.locator('.link', { hasText: '移除' }).tap();
      await row.waitFor({ state: 'detached' });
    });

    await reportTest.test('the heat map is that of the chosen brand', async () => {
      await phone.locator('#heatmap .choice', { hasText: '云栖壶' }).tap();
      await phone.locator('#heatmap .choice.is-selected', { hasText: '云栖壶' }).waitFor();
      const rival = (await report()).brands.find(({ name }) => name === '云栖壶').figures.mentions;
      await phone.waitForFunction(`[...document.querySelectorAll('#heatmap .cell')].reduce((sum, { textContent }) => sum + Number(textContent.split('/')[0]), 0) === ${rival}`);
    });

    await reportTest.test('it has the sections of the web page, under the same names and in the same order', async () => {
      const { web, miniprogram } = await listSectionNames(phone, pages.site, id);
      assert.deepEqual(miniprogram, web);
    });

    await reportTest.test('it is shared by a link, printed and exported', async () => {
      await phone.locator('#open-sharing').tap();
      const here = phone.locator('.host-page:not(.is-behind)');
      await here.locator('#create').tap();
      await here.locator('#share .row').waitFor();
      await here.locator('#share .link', { hasText: '复制' }).tap();
      await here.locator('.status-line', { hasText: '链接已复制。' }).waitFor();
      const shared = await phone.evaluate('__host.wx.clipboard');
      assert.equal((await fetch(shared)).status, 200);
      await here.locator('#prepare').tap();
      await here.locator('#files .row').nth(3).waitFor();
      const urls = await here.locator('#files .address').allTextContents();
      assert.deepEqual(await Promise.all(urls.map(async (url) => (await fetch(url)).status)), [200, 200, 200, 200]);
      await here.locator('#share .link', { hasText: '撤销' }).tap();
      await here.locator('#share .row').waitFor({ state: 'detached' });
      assert.equal((await fetch(shared)).status, 404);
      await phone.locator('.host-back').tap();
    });

    await reportTest.test('it is repeated by a schedule, which is paused and deleted', async () => {
      const here = phone.locator('.host-page:not(.is-behind)');
      await here.locator('#trend .section-toggle').tap();
      await here.locator('.trend-summary', { hasText: '只有这一次诊断' }).waitFor();
      await here.locator('#open-schedules').tap();
      await here.locator('#form .fact').first().waitFor();
      await here.locator('#start').tap();
      await here.locator('.schedule').waitFor();
      await here.locator('.schedule .link', { hasText: '暂停' }).tap();
      await here.locator('.schedule .inline-tag', { hasText: '已暂停' }).waitFor();
      await here.locator('.schedule .link', { hasText: '删除' }).tap();
      await here.locator('.schedule').waitFor({ state: 'detached' });
    });
    assert.deepEqual(await phone.closePhone(), []);
  });

  await t.test('a hidden page is silent, and continues without a gap when it is shown', () => withPhone({}, async (phone) => {
    await pages.site.send('hold');
    await fillForm(phone, { platforms: ['p1', 'last'], questions: ['一？', '二？', '三？'] });
    await phone.locator('#start').tap();
    await phone.locator('.answer.valid').nth(2).waitFor();
    await phone.hide();
    await phone.resetMeasurements();
    await pages.site.send('release');
    await phone.waitForFunction('__host.wx.sockets === 0');
    await new Promise((resolve) => { setTimeout(resolve, 300); });
    assert.equal((await phone.getMeasurements()).calls, 0);
    await phone.show();
    await phone.locator('#headline').waitFor();
    assert.equal(await phone.locator('.answer.valid').count(), 6);
  }));

  await t.test('a reloaded page shows everything so far, and the progress never goes back', () => withPhone({}, async (phone) => {
    await pages.site.send('hold');
    await fillForm(phone, { platforms: ['p1', 'last'], questions: ['一？', '二？'] });
    await phone.locator('#start').tap();
    await phone.locator('.answer.valid').nth(1).waitFor();
    const before = await percent(phone);
    const id = await phone.evaluate('__host.page().id');
    await phone.goto(`${pages.site.url}/miniprogram?open=${encodeURIComponent(`pages/report-v2/report-v2?id=${id}`)}`);
    await phone.locator('.answer.valid').nth(1).waitFor();
    assert.ok(await percent(phone) >= before);
    await pages.site.send('release');
    await phone.locator('#headline').waitFor();
  }));

  await t.test('a cancelled diagnosis keeps its answers', () => withPhone({}, async (phone) => {
    await pages.site.send('hold');
    await fillForm(phone, { platforms: ['p1', 'last'], questions: ['一？', '二？'] });
    await phone.locator('#start').tap();
    await phone.locator('.answer.valid').nth(1).waitFor();
    await phone.locator('#cancel').tap();
    await phone.locator('.status.cancelled').waitFor();
    assert.equal(await phone.locator('#end-problem .title').textContent(), '诊断已取消');
    assert.equal(await phone.locator('.answer.failed').count(), 2);
    await pages.site.send('release');
  }));

  await t.test('a retry asks the failed questions again and keeps the other answers', () => withPhone({}, async (phone) => {
    await pages.site.send('hold');
    await fillForm(phone, { platforms: ['p1', 'last'], questions: ['一？', '二？'] });
    await phone.locator('#start').tap();
    await phone.locator('.answer.valid').nth(1).waitFor();
    await phone.locator('#cancel').tap();
    await phone.locator('#retry').waitFor();
    assert.equal(await phone.locator('.retry-explanation').textContent(), '已有的 2 条回答会原样沿用，只重新询问失败的 2 条。');
    const first = await phone.evaluate('__host.page().id');
    await pages.site.send('release');
    await phone.locator('#retry').tap();
    await phone.waitForFunction(`__host.page().id !== '${first}'`);
    await phone.locator('#headline').waitFor();
    assert.equal(await phone.locator('.answer.valid').count(), 4);
    assert.match(await phone.locator('.head .hint').textContent(), /^这是一次补问：沿用了 2 条/);
  }));

  await t.test('a failing platform is reported once and does not end the diagnosis', () => withPhone({}, async (phone) => {
    await fillForm(phone, { platforms: ['演示·快速', '演示·配额用尽'], questions: ['一？', '二？'] });
    await phone.locator('#start').tap();
    await phone.locator('.status.partial').waitFor();
    assert.match(await phone.locator('.failure').textContent(), /演示·配额用尽.*AI 配额已用尽.*2 条/s);
  }));

  await t.test('setData is called at most five times per second, with at most 120 bytes per answer, never while hidden, and nothing moves', async () => {
    const { calls, size, perAnswer, apart, hidden, moved, violations } = await measureSetData(pages);
    t.diagnostic(`setData while live: ${calls} calls, ${size.toFixed(0)} bytes on average, ${apart} ms apart at least`);
    assert.ok(apart >= 195, `${apart} ms`);
    assert.ok(perAnswer <= 120, `${perAnswer} bytes`); // the bench measures bytes per call: on a busy machine there are fewer and larger calls
    assert.deepEqual({ hidden, moved, violations }, { hidden: 0, moved: 0, violations: [] });
  });
}

module.exports = { testDiagnosisPage, measureSetData };
