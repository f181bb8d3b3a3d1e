/**
 * The types of the client and of the shared presentation modules, for editors and `tsc --checkJs`; no code loads this file.
 * A module that the web page loads too is wrapped in a function; the type of that function's result is its exports.
 */
declare namespace Diag {
  // The data of each kind of event of a diagnosis. tests/manual/test_protocol_page.py compares them with progress/events.py.
  interface ProgressData {
    stage: string;
    percent: number;
    done: number;
    planned: number;
    eta_s: number | null;
  }

  /** A stored answer, without its text. */
  interface ResultData {
    answer: string;
    question: string;
    platform: string;
    repeat: number;
    state: string;
    ms: number;
    /** brands in a valid answer */
    mentioned?: string[];
    /** error code of any other answer */
    code?: string;
  }

  /** A problem body that does not end the diagnosis, with the id of the platform. */
  interface ErrorData {
    type: string;
    title: string;
    status: number;
    detail: string;
    instance: string;
    code: string;
    severity: string;
    retryable: boolean;
    retry_after_ms: number | null;
    request_id: string;
    copy: { [name: string]: any };
    fields?: { [name: string]: string };
    platform: string;
  }

  interface CompleteData {
    status: string;
    valid: number;
    failed: number;
    filtered: number;
    problem?: { [name: string]: any };
  }

  interface DiagnosisEventData {
    progress: ProgressData;
    result: ResultData;
    error: ErrorData;
    complete: CompleteData;
  }
  /** The data of each kind of event on the stream of the operators' dashboard. */
  interface DashboardEventData {
    samples: any;
    alert: { title: string; title_en?: string; is_open: boolean; [field: string]: any };
  }
  type DiagnosisEventKind = keyof DiagnosisEventData;
  type EventKind = DiagnosisEventKind | keyof DashboardEventData;
  /** sequence number, kind, data; a kind that this version does not know is ignored */
  type StreamEvent = [number, EventKind, any];
  type State = 'idle' | 'connecting' | 'live' | 'polling' | 'suspended' | 'offline' | 'done' | 'closed';

  interface Cursor {
    after: number;
    epoch: string | null;
  }

  interface SocketHandlers {
    onOpen(): void;
    onMessage(text: any): void;
    onClose(code?: number, reason?: string): void;
    onError(error?: any): void;
  }

  interface SocketHandle {
    send(text: string): void;
    close(code: number): void;
  }

  interface PollResponse {
    status: number;
    /** parsed JSON, or null when the body was not JSON */
    body: any;
    retryAfterMs?: number | null;
  }

  interface Transport {
    connect(path: string, handlers: SocketHandlers): SocketHandle;
    poll(
      path: string,
      options: { token: string | null; timeoutMs: number },
      callback: (error: any, response?: PollResponse) => void,
    ): { abort(): void };
  }

  interface Clock {
    now(): number;
    setTimeout(run: () => void, ms: number): any;
    clearTimeout(id: any): void;
  }

  /** A token, the number of renewals before it, and the time from which getToken returns another one. */
  interface IssuedToken {
    token: string | null;
    renewal: number;
    renewAt: number;
  }

  interface TokenRequest {
    renew?: boolean;
    /** the token that the server has refused, if known */
    refused?: string | null;
  }

  interface ClientOptions {
    stream: string;
    transport: Transport;
    /**
     * A rejection is retried; after three renewals that the site refused (the error's `problem` says so) it is fatal.
     * null means that the session cookie authenticates the user.
     * With a `renewAt`, the client asks again at that time and sends the new token over the open socket.
     */
    getToken(request: TokenRequest): Promise<string | null | { token: string; renewAt: number }>;
    after?: number;
    epoch?: string | null;
    onEvents?(events: StreamEvent[], epoch: string | null): void;
    onState?(state: State, detail: { code?: number }): void;
    onReset?(reset: { epoch: string | null; last: number; closed: boolean }): void;
    onFatal?(failure: { code: number; problem: any }): void;
    clock?: Clock;
    random?(): number;
  }

  interface Client {
    start(): void;
    hide(): void;
    show(): void;
    networkChanged(isOnline: boolean): void;
    close(): void;
    state(): State;
    cursor(): Cursor;
  }

  type CreateClient = (options: ClientOptions) => Client;

  interface Counts {
    valid: number;
    failed: number;
    filtered: number;
  }

  interface AnswerView {
    question: any;
    platform: any;
    repeat: number | null;
    state: string | null;
    mentioned: string[];
    ms: number | null;
    code: string | null;
  }

  /** The state of a running diagnosis as a page shows it; `status` is null until the end. */
  interface View {
    stage: string;
    percent: number;
    done: number;
    planned: number;
    etaSeconds: number | null;
    counts: Counts;
    answers: { [answerId: string]: AnswerView };
    notices: any[];
    status: string | null;
    problem: any;
  }

  interface Presenter {
    /** Return the changed paths with their new values, in the form that `setData` takes. */
    apply(events: StreamEvent[]): { [path: string]: any };
    view(): View;
  }

  interface HttpRequest {
    /** GET by default */
    method?: string;
    path: string;
    body?: any;
    headers?: { [name: string]: string };
    token?: string | null;
    timeoutMs?: number;
  }

  interface HttpResponse {
    status: number;
    /** parsed JSON, or null when the body was not JSON */
    body: any;
    /** by lower-case name */
    headers: { [name: string]: string };
  }

  interface Http {
    /** Resolves for every status. A rejection has a `problem` with its code: NETWORK_ERROR or NETWORK_TIMEOUT. */
    send(request: HttpRequest): Promise<HttpResponse>;
  }

  interface StoredSession {
    token: string;
    user: any;
    begunAt: number;
    renewAt: number;
    endsAt: number;
  }

  interface SessionOptions {
    wx: any;
    http: Http;
    credentials?(): any;
    clock?: Clock;
  }

  interface Session {
    getToken(request?: TokenRequest): Promise<StoredSession>;
    signOut(): Promise<void>;
    user(): any;
  }

  interface ApiOptions {
    http: Http;
    session: Pick<Session, 'getToken'>;
    random?(): number;
    clock?: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
  }

  /** Every rejection has a `problem`, which `ErrorCatalog.present` takes. */
  interface Api {
    listPlatforms(): Promise<any>;
    /** competitors with which the user compared the brand before: {competitors: [{name, aliases}]} */
    suggestCompetitors(brand: string): Promise<any>;
    listDiagnoses(filters?: { cursor?: string; status?: string; q?: string }): Promise<any>;
    getDiagnosis(id: string): Promise<any>;
    getReport(id: string): Promise<any>;
    listAnswers(id: string, cursor?: string | null): Promise<any>;
    createDiagnosis(body: any, key: string): Promise<any>;
    retryDiagnosis(id: string, key: string): Promise<any>;
    cancelDiagnosis(id: string): Promise<any>;
    /** how the report will classify each question: {kind, named, uncertain} */
    checkQuestions(body: any): Promise<any>;
    /** any other call, of a subpackage; `send` must be safe to repeat */
    get(path: string, filters?: object): Promise<any>;
    send(method: string, path: string, body?: any): Promise<any>;
    /** `start` and `end` in code points of the answer's text */
    createKey(): string;
  }

  /** An error as a page or the error dialog shows it. */
  interface ShownError {
    code: string;
    title: string;
    message: string;
    suggestion: string;
    display: 'toast' | 'modal' | 'page' | 'inline';
    icon: string;
    durationMs: number;
    severity: string;
    /** how long the server asks the client to wait; a retry button counts it down */
    waitMs: number;
    action: { kind: string; label: string; params: { [name: string]: any } };
    /** error messages by input name */
    fields: { [name: string]: string };
    reference: string;
  }

  interface ErrorCatalog {
    load(): Promise<void>;
    /** `values`: those of the placeholders, by name: platform, seconds, valid, planned */
    present(error: any, values?: { [name: string]: any }): ShownError;
  }

  interface I18n {
    _(text: string, values?: { [name: string]: any }): string;
    language(): string;
  }

  interface Format {
    percent(rate: number | null | undefined): string;
    interval(low: number, high: number): string;
    number(value: number): string;
    money(value: number): string;
    costText(diagnosis: { status: string; demo: boolean; estimated_cost?: string | null; cost?: string | null }): string;
    joinNames(names: string[]): string;
    duration(seconds: number): string;
    roundedDuration(seconds: number): string;
    isRunning(status: string): boolean;
    statusLabel(status: string): string;
    answerStateLabel(state: string): string;
    skipReasonLabel(reason: string): string;
    surfaceLabel(surface: string): string;
  }

  interface DiagnosisText {
    coverage(counts: { valid: number; planned: number; failed: number; filtered: number; truncated?: number; repeated?: number; without_search?: number }): string;
    retryExplanation(kept: number, failed: number): string;
    timeLeft(seconds: number | null, percentDone: number): string;
    updateEnd(endsAt: number | null, seconds: number | null | undefined, now: number): number | null;
    connectionStatus(state: string, wasConnected: boolean): { id: string; label: string };
    sentimentLabels(): { [sentiment: string]: string };
  }

  interface Platforms {
    MAX_PLATFORMS: number;
    /** empty where the price or the speed is unknown */
    describePlatform(platform: any): { health: string; price: string; speed: string };
    /** The ids to select first: the healthy preferred ones of one kind, all healthy ones on request, else the first healthy one. */
    selectPlatforms(platforms: any[], choice: { preferred: string[]; allHealthy?: boolean }): string[];
    estimateSeconds(platform: any, calls: number, now?: number): number | null;
    /** error: why it cannot be sent, else empty */
    describeSelection(platforms: any[]): { warnings: string[]; error: string };
    describeEstimate(platforms: any[], questions: number, repeats: number): { calls: string; breakdown: string; duration: string; cost: string };
  }

  interface QuestionTemplates {
    CATEGORIES: Array<{ id: string; name: string; example: string; questions: string[] }>;
  }
}
