// The draft of a new diagnosis: stored while the form is filled in, and turned into the request body.

import { randomId, sessionStore } from "../common/storage.js";

const DRAFT_KEY = "diag.draft";
const SUBMISSION_KEY = "diag.submission";

/** `A、B, A` -> `["A", "B"]` */
export const splitNames = (text) => [...new Set(text.split(/[,，、;；\n]/).map((part) => part.trim()).filter(Boolean))];

/** Hosts may also be separated by spaces. */
export const splitSites = (text) => splitNames(text.replace(/\s+/g, ","));

/** `{brand, aliases, sites, competitors: [[name, aliases, sites]], questions: [[text]], platforms, repeats}` as typed, or null. */
export const loadDraft = () => sessionStore.get(DRAFT_KEY);

export const saveDraft = (draft) => sessionStore.set(DRAFT_KEY, draft);

export const clearDraft = () => sessionStore.remove(DRAFT_KEY);

/** Copy a stored diagnosis into a draft of a new one. */
export function draftFromDiagnosis(diagnosis) {
  const own = diagnosis.brands.find((brand) => brand.is_own);
  return {
    brand: diagnosis.brand,
    aliases: (own?.aliases || []).join("、"),
    sites: (own?.sites || []).join("、"),
    competitors: diagnosis.brands.filter((brand) => !brand.is_own).map(({ name, aliases, sites }) => [name, aliases.join("、"), sites.join("、")]),
    questions: diagnosis.questions.map((question) => [question.text]),
    platforms: diagnosis.platforms.map((platform) => platform.id),
    repeats: diagnosis.repeats,
  };
}

/** Return the request body, and for each sent competitor and question the index of its row: empty rows are left out. */
export function buildRequest(draft) {
  const competitors = draft.competitors
    .map(([name, aliases, sites], row) => ({ row, name: name.trim(), aliases: splitNames(aliases), sites: splitSites(sites || "") }))
    .filter(({ name, aliases, sites }) => name || aliases.length || sites.length);
  const questions = draft.questions.map(([text], row) => ({ row, text: text.trim() })).filter(({ text }) => text);
  return {
    rows: { competitors: competitors.map(({ row }) => row), questions: questions.map(({ row }) => row) },
    body: {
      brand: draft.brand.trim(),
      aliases: splitNames(draft.aliases),
      sites: splitSites(draft.sites || ""),
      competitors: competitors.map(({ name, aliases, sites }) => ({ name, aliases, sites })),
      questions: questions.map(({ text }) => text),
      platforms: draft.platforms,
      repeats: draft.repeats,
    },
  };
}

/** Return the idempotency key of this request body: the same after a network failure, a new one after a change or a success. */
export function getSubmissionKey(body) {
  const filled = JSON.stringify(body);
  const last = sessionStore.get(SUBMISSION_KEY);
  if (last?.filled === filled) return last.key;
  const key = randomId();
  sessionStore.set(SUBMISSION_KEY, { filled, key });
  return key;
}

export const clearSubmissionKey = () => sessionStore.remove(SUBMISSION_KEY);
