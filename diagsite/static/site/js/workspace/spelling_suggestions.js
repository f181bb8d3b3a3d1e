// Other spellings that follow from a brand's name itself.

const LEGAL_FORMS = /(股份有限公司|有限责任公司|有限公司|集团|公司)$/;

/** `山岚 Shanlan（中国）有限公司` -> `["山岚", "Shanlan", …]`: its Chinese and Latin parts, and without the legal form. */
export function suggestSpellings(name) {
  const plain = name.replace(/[（(][^）)]*[）)]/g, "").replace(LEGAL_FORMS, "").trim();
  const chinese = plain.match(/\p{Script=Han}[\p{Script=Han}·]*/gu) || [];
  const latin = plain.match(/[\p{Script=Latin}\d][\p{Script=Latin}\d'&. -]*[\p{Script=Latin}\d]/gu) || [];
  const parts = [plain, ...chinese, ...latin].map((part) => part.trim());
  return [...new Set(parts)].filter((part) => part.length > 1 && part !== name);
}
