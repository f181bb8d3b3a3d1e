/** What `require` gives; tsc cannot see it through the wrapper that a page needs. */
export function createErrorCatalog(options: { wx: any; http: Diag.Http }): Diag.ErrorCatalog;
