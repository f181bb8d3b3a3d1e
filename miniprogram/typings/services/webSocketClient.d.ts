/** What `require` gives; tsc cannot see it through the wrapper that a page needs. */
export function createClient(options: Diag.ClientOptions): Diag.Client;
