// The form as data: read from the fields, written back to them, kept over a reload, sent once.

import { passing, randomId } from "../common/storage.js";

const DRAFT = "diag.draft";
const SUBMISSION = "diag.submission";

const names = (text) => [...new Set(text.split(/[,，、;；\n]/).map((part) => part.trim()).filter(Boolean))];

/** `{brand, aliases, competitors: [[name, aliases]], questions: [[text]], platforms, repeats}` as typed. */
export const loadDraft = () => passing.get(DRAFT);

export const saveDraft = (draft) => passing.set(DRAFT, draft);

export const clearDraft = () => passing.remove(DRAFT);

/** A stored diagnosis as a draft for another one. */
export function draftFrom(diagnosis) {
  const own = diagnosis.brands.find((brand) => brand.is_own);
  return {
    brand: diagnosis.brand,
    aliases: (own?.aliases || []).join("、"),
    competitors: diagnosis.brands.filter((brand) => !brand.is_own).map((brand) => [brand.name, brand.aliases.join("、")]),
    questions: diagnosis.questions.map((question) => [question.text]),
    platforms: diagnosis.platforms.map((platform) => String(platform.id)),
    repeats: diagnosis.repeats,
  };
}

/** The request body, and for each part of it the index of the row it came from (empty rows are not sent). */
export function bodyOf(draft, idOf) {
  const competitors = draft.competitors.map(([name, aliases], row) => ({ row, name: name.trim(), aliases: names(aliases) }));
  const questions = draft.questions.map(([text], row) => ({ row, text: text.trim() }));
  const sentCompetitors = competitors.filter(({ name, aliases }) => name || aliases.length);
  const sentQuestions = questions.filter(({ text }) => text);
  return {
    rows: { competitors: sentCompetitors.map(({ row }) => row), questions: sentQuestions.map(({ row }) => row) },
    body: {
      brand: draft.brand.trim(),
      aliases: names(draft.aliases),
      competitors: sentCompetitors.map(({ name, aliases }) => ({ name, aliases })),
      questions: sentQuestions.map(({ text }) => text),
      platforms: draft.platforms.map(idOf),
      repeats: draft.repeats,
    },
  };
}

/** The key of this very form: the same after a network failure, a new one after a change or a success. */
export function submissionKey(body) {
  const filled = JSON.stringify(body);
  const last = passing.get(SUBMISSION);
  if (last?.filled === filled) return last.key;
  const key = randomId();
  passing.set(SUBMISSION, { filled, key });
  return key;
}

export const forgetSubmission = () => passing.remove(SUBMISSION);
