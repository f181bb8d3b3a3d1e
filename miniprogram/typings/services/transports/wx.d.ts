/** What `require` gives; tsc cannot see it through the wrapper that a page needs. */
export function createWxTransport(options: { wx: any; baseUrl: string }): Diag.Transport;
