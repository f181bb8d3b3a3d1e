/** What `require` gives; tsc cannot see it through the wrapper that a page needs. */
export function createPresenter(): Diag.Presenter;
