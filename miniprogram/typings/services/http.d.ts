/** What `require` gives; tsc cannot see it through the wrapper that a page needs. */
export function createHttp(options: { wx: any; baseUrl: string; language?: string; clock?: any }): Diag.Http;
