// The report below its headline: draws every section, and draws it again whenever something was put right.

import { addAlias, addCompetitor, removeCompetitor, undoCorrection } from "../common/api.js";
import { askAlias } from "./alias_dialog.js";
import { _ } from "../common/config.js";
import { announce, byId, setText } from "../common/dom.js";
import { showProblem } from "../common/problem_display.js";
import { coverage } from "./headline.js";
import { drawBrands, drawScope, drawSwitch } from "./brands.js";
import { drawCorrections } from "./corrections.js";
import { drawDomains } from "./domains.js";
import { drawFailures } from "./failures.js";
import { drawBrandChoice, drawHeatmap } from "./heatmap.js";
import { drawLost } from "./lost_questions.js";
import { drawMethod } from "./method.js";
import { drawOthers } from "./other_brands.js";
import { drawPlatformRates } from "./platforms.js";
import { drawQuotes } from "./quotes.js";
import { drawRecognition } from "./recognition.js";

export class ReportSections {
  /** `reload` reads everything again and calls `draw` with it; `answers` shows raw answers. */
  constructor({ answers, reload }) {
    this.answers = answers;
    this.reload = reload;
    this.platform = null;
    this.brand = null;
    byId("platform-switch").addEventListener("change", (event) => this.choosePlatform(event.target.value || null));
    byId("heatmap-brand").addEventListener("change", (event) => this.chooseBrand(event.target.value));
  }

  /** Draws everything from a report, what was corrected in it, and the diagnosis that it is of. */
  draw({ report, corrections, diagnosis }) {
    this.report = report;
    this.diagnosis = diagnosis;
    const open = (where) => this.answers.reveal(where);
    const own = report.brands.find((brand) => brand.is_own)?.name;
    if (!report.brands.some((brand) => brand.name === this.brand)) this.brand = own;
    byId("figures-section").hidden = !report.unbranded.valid || !own;
    setText(byId("coverage"), coverage(report));
    drawSwitch(byId("platform-switch"), report, this.platform);
    this.choosePlatform(this.platform);
    drawPlatformRates(byId("platforms-section"), report);
    drawOthers(byId("others-section"), report, (name, button) => this.change(() => addCompetitor(diagnosis.id, name), { button }));
    byId("heatmap-section").hidden = byId("figures-section").hidden;
    drawBrandChoice(byId("heatmap-brand"), report, this.brand);
    this.chooseBrand(this.brand);
    drawLost(byId("lost-section"), report, open);
    drawRecognition(byId("recognition-section"), report, { ordered: diagnosis.brands, actions: this.actions(), onOpen: open });
    drawQuotes(byId("quotes-section"), report, open);
    drawDomains(byId("domains-section"), report);
    drawFailures(byId("failures-section"), report);
    drawMethod(byId("method"), report);
    this.drawCorrections(corrections);
  }

  drawCorrections(corrections) {
    const onUndo = (correction, button) => this.change(() => undoCorrection(this.diagnosis.id, correction), { button });
    drawCorrections(byId("corrections-section"), corrections, { answerOf: (id) => this.answers.stored.get(String(id)), onUndo });
  }

  choosePlatform(platform) {
    this.platform = platform;
    drawBrands(byId("figures"), this.report, platform, { ordered: this.diagnosis.brands, actions: this.actions() });
    drawScope(byId("figures-scope"), this.report, platform);
    this.answers.filter(platform);
  }

  chooseBrand(brand) {
    this.brand = brand;
    const { report } = this;
    drawHeatmap(byId("heatmap"), { report, cells: report.cells, brand, onOpen: (where) => this.answers.reveal(where) });
  }

  actions() {
    return {
      review: (brand) => this.answers.review(brand),
      addAlias: (brand) =>
        askAlias(brand, async (alias) => {
          await addAlias(this.diagnosis.id, brand, alias);
          await this.follow();
        }),
      removeCompetitor: (name) => this.change(() => removeCompetitor(this.diagnosis.id, name)),
    };
  }

  /** Sends a change and shows what follows from it, or why it could not be made. */
  async change(send, { button = null } = {}) {
    if (button) button.disabled = true;
    try {
      await send();
      await this.follow();
    } catch (error) {
      if (button) button.disabled = false;
      showProblem(error, { display: "toast" });
    }
  }

  async follow() {
    await this.reload();
    announce(_("数字已更新。"));
  }
}
