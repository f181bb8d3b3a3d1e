/** The types of the services, for editors and `tsc --checkJs`; nothing loads this file. */
declare namespace Diag {
  /** seq, kind, data: one of the interfaces below for a known kind */
  type StreamEvent = [number, string, any];

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

  interface PollAnswer {
    status: number;
    /** parsed JSON, or null when it was none */
    body: any;
    retryAfterMs?: number | null;
  }

  interface Transport {
    connect(path: string, handlers: SocketHandlers): SocketHandle;
    poll(
      path: string,
      options: { token: string | null; timeoutMs: number },
      callback: (error: any, answer?: PollAnswer) => void,
    ): { abort(): void };
  }

  interface Clock {
    now(): number;
    setTimeout(run: () => void, ms: number): any;
    clearTimeout(id: any): void;
  }

  /** A token, how many were renewed before it, and when asking again brings another. */
  interface Key {
    token: string | null;
    renewal: number;
    renewAt: number;
  }

  interface Renewal {
    renew?: boolean;
    /** the token that the server has refused, if it is known */
    refused?: string | null;
  }

  interface ClientOptions {
    stream: string;
    transport: Transport;
    /**
     * A rejection means "could not ask" and is tried again; null, that the session cookie speaks for the user.
     * With a `renewAt`, the client asks again at that time and says the new token on the open socket.
     */
    getToken(request: Renewal): Promise<string | null | { token: string; renewAt: number }>;
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

  /** What a page shows of a running diagnosis. `status` is null until the end. */
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
    /** Returns the paths that changed, with their new values, as `setData` takes them. */
    apply(events: StreamEvent[]): { [path: string]: any };
    view(): View;
  }

  interface HttpRequest {
    /** GET unless it says otherwise */
    method?: string;
    path: string;
    body?: any;
    headers?: { [name: string]: string };
    token?: string | null;
    timeoutMs?: number;
  }

  interface HttpAnswer {
    status: number;
    /** parsed JSON, or null when it was none */
    body: any;
    /** by their names in lower case */
    headers: { [name: string]: string };
  }

  interface Http {
    /** Any status is an answer. A rejection has a `problem` with its code: NETWORK_ERROR or NETWORK_TIMEOUT. */
    send(request: HttpRequest): Promise<HttpAnswer>;
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
    getToken(request?: Renewal): Promise<StoredSession>;
    signOut(): Promise<void>;
    user(): any;
  }

  interface ApiOptions {
    http: Http;
    session: Pick<Session, 'getToken'>;
    random?(): number;
    clock?: Pick<Clock, 'setTimeout'>;
  }

  /** Every rejection has a `problem`, which ErrorCatalog.present takes. */
  interface Api {
    listPlatforms(): Promise<any>;
    /** those that this person has compared the brand with before: {competitors: [{name, aliases}]} */
    suggestCompetitors(brand: string): Promise<any>;
    listDiagnoses(filters?: { cursor?: string; status?: string; q?: string }): Promise<any>;
    getDiagnosis(id: string): Promise<any>;
    getReport(id: string): Promise<any>;
    listAnswers(id: string, cursor?: string | null): Promise<any>;
    createDiagnosis(body: any, key: string): Promise<any>;
    retryDiagnosis(id: string, key: string): Promise<any>;
    cancelDiagnosis(id: string): Promise<any>;
    /** `start` and `end` in code points of the answer's text */
    judgeHit(id: string, hit: { kind: 'confirm' | 'reject'; answer: string; brand: string; start: number; end: number }): Promise<any>;
    newKey(): string;
  }

  /** What a page or the error dialog shows. */
  interface Shown {
    code: string;
    title: string;
    message: string;
    suggestion: string;
    display: 'toast' | 'modal' | 'page' | 'inline';
    icon: string;
    durationMs: number;
    severity: string;
    /** how long the server asks to be left alone: a retry button counts it down */
    waitMs: number;
    action: { kind: string; label: string; params: { [name: string]: any } };
    /** input names, and what is wrong with them */
    fields: { [name: string]: string };
    reference: string;
  }

  interface ErrorCatalog {
    load(): Promise<void>;
    /** `known`: values for the placeholders, by name: platform, seconds, valid, planned */
    present(thrown: any, known?: { [name: string]: any }): Shown;
  }
}
