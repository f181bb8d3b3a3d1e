// The sections of the report below its headline; they are drawn again after every correction.

import { addAlias, addCompetitor, removeCompetitor, undoCorrection } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId, setText } from "../common/dom.js";
import { showProblem } from "../common/problem_display.js";
import { coverage } from "../diagnosis/texts.js";
import { openAliasDialog } from "./alias_dialog.js";
import { drawBrands, drawPlatformSwitch, drawScope } from "./brands.js";
import { drawCorrections } from "./corrections.js";
import { drawDomains } from "./domains.js";
import { drawFailures } from "./failures.js";
import { drawBrandOptions, drawHeatmap } from "./heatmap.js";
import { drawLostQuestions } from "./lost_questions.js";
import { drawMethod } from "./method.js";
import { drawOtherBrands } from "./other_brands.js";
import { drawPlatformRates } from "./platforms.js";
import { drawQuotes } from "./quotes.js";
import { drawRecognition } from "./recognition.js";
import { SourcesSection } from "./sources.js";
import { drawSurfaces } from "./surfaces.js";
import { drawTiles } from "./tiles.js";

export class ReportSections {
  /** `reload` loads everything again and calls `draw`; `answers` shows the answers behind a figure. */
  constructor({ answers, reload }) {
    this.answers = answers;
    this.reload = reload;
    this.platform = null;
    this.brand = null;
    this.sources = new SourcesSection(byId("sources-section"), answers);
    byId("platform-switch").addEventListener("change", (event) => this.selectPlatform(event.target.value || null));
    byId("heatmap-brand").addEventListener("change", (event) => this.selectBrand(event.target.value));
  }

  /** Draw all sections of a report of a diagnosis. */
  draw({ report, diagnosis }) {
    this.report = report;
    this.diagnosis = diagnosis;
    const own = report.brands.find((brand) => brand.is_own)?.name;
    if (!report.brands.some((brand) => brand.name === this.brand)) this.brand = own;
    const hasFigures = report.unbranded.valid && own;
    byId("figures-section").hidden = !hasFigures;
    byId("heatmap-section").hidden = !hasFigures;
    setText(byId("coverage"), coverage(report));
    drawPlatformSwitch(byId("platform-switch"), report, this.platform);
    this.selectPlatform(this.platform);
    drawTiles(byId("tiles"), report);
    drawSurfaces(byId("surfaces-section"), report);
    drawPlatformRates(byId("platforms-section"), report);
    drawOtherBrands(byId("other-brands-section"), report, (name, button) => this.change(() => addCompetitor(diagnosis.id, name), { button }));
    drawBrandOptions(byId("heatmap-brand"), report, this.brand);
    this.selectBrand(this.brand);
    this.drawLists();
  }

  drawLists() {
    const { report, diagnosis } = this;
    const onOpen = (target) => this.answers.reveal(target);
    drawLostQuestions(byId("lost-questions-section"), report, onOpen);
    drawRecognition(byId("recognition-section"), report, { requested: diagnosis.brands, actions: this.brandActions(), onOpen });
    drawQuotes(byId("quotes-section"), report, onOpen);
    this.sources.draw(report, diagnosis);
    drawDomains(byId("domains-section"), report);
    drawFailures(byId("failures-section"), report);
    drawMethod(byId("method"), report);
  }

  /** Draw the corrections once the answers are listed, with the texts that they quote. */
  async drawCorrections(corrections) {
    await this.answers.loadTexts(corrections.map(({ answer }) => answer).filter(Boolean));
    drawCorrections(byId("corrections-section"), corrections, {
      getAnswer: (id) => this.answers.stored.get(id),
      onUndo: async (correction, button) => {
        await this.change(() => undoCorrection(this.diagnosis.id, correction), { button });
        // The button is gone with its correction.
        if (!button.isConnected) (byId("corrections-section").querySelector("button") || byId("headline")).focus({ preventScroll: true });
      },
    });
  }

  selectPlatform(platform) {
    this.platform = platform;
    drawBrands(byId("figures"), this.report, platform, { requested: this.diagnosis.brands, actions: this.brandActions() });
    drawScope(byId("figures-scope"), this.report, platform);
  }

  selectBrand(brand) {
    this.brand = brand;
    const { report } = this;
    drawHeatmap(byId("heatmap"), { report, cells: report.cells, brand, onOpen: (target) => this.answers.reveal(target) });
  }

  brandActions() {
    return {
      revealUncertain: (brand) => this.answers.revealUncertain(brand),
      addAlias: (brand) =>
        openAliasDialog(brand, async (alias) => {
          await addAlias(this.diagnosis.id, brand, alias);
          await this.reloadAndAnnounce();
        }),
      removeCompetitor: (name) => this.change(() => removeCompetitor(this.diagnosis.id, name)),
    };
  }

  /** Send a change, then show the new figures, or why the change failed. */
  async change(send, { button = null } = {}) {
    if (button) button.disabled = true;
    try {
      await send();
      await this.reloadAndAnnounce();
    } catch (error) {
      if (button) button.disabled = false;
      showProblem(error, { display: "toast" });
    }
  }

  async reloadAndAnnounce() {
    await this.reload();
    announce(_("数字已更新。"));
  }
}
