/** What `require` gives; tsc cannot see it through the wrapper that a page needs. */
export const CATEGORIES: Array<{ id: string, name: string, example: string, questions: string[] }>;
