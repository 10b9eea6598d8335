import createClient, { type Client, type Middleware } from "openapi-fetch";
import { ApiError, unwrap } from "./errors.ts";
import type { components, paths } from "./generated/rest.ts";
import { askPasskey } from "./passkeys.ts";
import { type Data, type Route, type RouteRequest, toRequest } from "./routes.ts";
import { memoryStore, type Tokens, type TokenStore } from "./stores.ts";

const PUBLIC = ["/api/v1/auth/keys/public", "/api/v1/auth/token/refresh"];
const LOGIN = "/api/v1/auth/login";
const LOGOUT = "/api/v1/auth/logout";
const IN_COOKIE = { "X-Refresh-Token": "cookie" };
const VERIFIER = "code verifier";

/** What proves who somebody is: a code of their app, a recovery code, a passkey's response, or their encrypted password. */
export type Proof = Partial<components["schemas"]["Reauthentication"]>;
export type ProofOptions = components["schemas"]["ProofOptions"];

/** A login. `api` calls any operation; it refreshes the tokens when the access token has expired. */
export class Session {
  readonly url: string;
  readonly api: Client<paths>;
  readonly #store: TokenStore;
  readonly #listeners = new Set<(tokens: Tokens | undefined) => void>();
  #refreshing: Promise<Tokens> | undefined;
  /**
   * Asks the user to prove again who they are, for requests that demand that they have done so recently; `problem` is what
   * was wrong with what they gave last. If `kinds` is empty, they have to log in again, with a provider by
   * `providerUrl(name, { fresh: true })`. Without an answer, the request fails with `auth.recent_login_required`.
   */
  prove?: (options: ProofOptions, problem: string | undefined) => Promise<Proof | undefined>;

  constructor(url: string, store: TokenStore = memoryStore()) {
    this.url = url;
    this.#store = store;
    this.api = createClient<paths>({ baseUrl: url, credentials: store.cookie ? "include" : "same-origin" });
    this.api.use(this.#authorization());
    store.onChange?.((tokens) => this.#tell(tokens));
  }

  get tokens(): Tokens | undefined {
    return this.#store.read();
  }

  /** Whose the tokens are. */
  get userId(): string | undefined {
    const [, claims] = this.tokens?.accessToken.split(".") ?? [];
    return claims && JSON.parse(atob(claims.replace(/-/g, "+").replace(/_/g, "/"))).sub;
  }

  /** Whether the user is logged in. With a cookie, a page that was opened anew gets its tokens by it. */
  async restore(): Promise<boolean> {
    if (!this.tokens && this.#store.cookie?.()) {
      await this.refresh().catch((error: unknown) => {
        if (!(error instanceof ApiError && error.status === 401)) throw error;
      });
    }
    return Boolean(this.tokens);
  }

  /** The data of a route, such as `call("GET:/api/v1/users/{userId}", { at: id })`. */
  async call<R extends Route>(route: R, request: RouteRequest = {}): Promise<Data<R>> {
    return (await this.fetch(route, request)).data;
  }

  /** The data of a route, and its version: send that as `etag` with an update, which fails if somebody else was first. */
  async fetch<R extends Route>(route: R, request: RouteRequest = {}): Promise<{ data: Data<R>; etag: string | null }> {
    const result = await this.api.request(...toRequest(route, request));
    return { data: unwrap(result) as Data<R>, etag: result.response.headers.get("ETag") };
  }

  async login(username: string, password: string): Promise<void> {
    const body = { username, ...(await this.encrypt(password)) };
    this.#keep(unwrap(await this.api.POST("/api/v1/auth/login", { body })));
  }

  /** Finishes a login that was answered with `auth.factor_required`: `ticket` is in the data of that error. */
  async loginWithFactor(ticket: string, proof: Proof): Promise<void> {
    const body = { ticket, ...proof };
    this.#keep(unwrap(await this.api.POST("/api/v1/auth/login/factor", { body })));
  }

  /** Logs in with a passkey, without a username or password. */
  async loginWithPasskey(): Promise<void> {
    const { options } = unwrap(await this.api.POST("/api/v1/auth/login/passkey/options"));
    const body = { credential: await askPasskey(options) };
    this.#keep(unwrap(await this.api.POST("/api/v1/auth/login/passkey", { body })));
  }

  /**
   * Where the browser has to go to log in with a provider, by `leaveForProvider`. It comes back to `returnFromProvider`. With
   * `fresh`, the provider asks who the user is, though they are logged in there: for requests that demand a recent proof.
   */
  async providerUrl(provider: string, { fresh = false } = {}): Promise<string> {
    const verifier = encodeUrl(crypto.getRandomValues(new Uint8Array(32)));
    sessionStorage.setItem(VERIFIER, verifier); // of this tab: a code that somebody else has got is worth nothing without it
    const challenge = encodeUrl(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
    return `${this.url}/api/v1/auth/oidc/${provider}/start?codeChallenge=${challenge}${fresh ? "&fresh=true" : ""}`;
  }

  /** Finishes a login with a provider, by the `code` that `returnFromProvider` has found. */
  async loginWithCode(code: string): Promise<void> {
    const body = { code, codeVerifier: sessionStorage.getItem(VERIFIER) };
    this.#keep(await this.call("POST:/api/v1/auth/login/oidc", { body }));
  }

  /** Acts as another user, for minutes; `stopActing` returns to one's own login, and so does a refusal. */
  async actAs(userId: string): Promise<void> {
    const { own = this.tokens! } = this.tokens!;
    this.#keep({ ...own, ...(await this.call("POST:/api/v1/users/{userId}/act-as", { at: userId })), refreshToken: "", own });
  }

  async stopActing(): Promise<void> {
    const own = this.tokens?.own;
    await this.api.POST("/api/v1/auth/logout");
    this.#keep(own);
  }

  /** Ends the session, or all of the user's. Their connections end before the server responds: nobody refreshes meanwhile. */
  async logout({ everywhere = false } = {}): Promise<void> {
    const end = () => this.call(everywhere ? "POST:/api/v1/auth/logout/all" : "POST:/api/v1/auth/logout");
    const refusal = end().then(() => undefined, (error: unknown) => error as Error); // sent at once: the page may be left
    await exclusively(async () => {
      const error = await refusal;
      if (error) {
        if (!(error instanceof ApiError && error.status === 401 && this.tokens)) throw error;
        await this.#exchange(this.tokens.refreshToken);
        await end();
      }
      this.#keep(undefined);
    });
  }

  /** Exchanges the refresh token. Calls at the same time share one exchange, also those of other tabs with this store. */
  refresh(): Promise<Tokens> {
    const used = this.tokens?.refreshToken;
    this.#refreshing ??= exclusively(() => this.#exchange(used)).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** `password` and `kid` of a request body, encrypted with a new challenge. */
  async encrypt(password: string): Promise<{ password: string; kid: string }> {
    const { kid, publicKey, challenge } = unwrap(await this.api.GET("/api/v1/auth/keys/public"));
    const der = decode(publicKey.replace(/-----.*-----|\s/g, ""));
    const key = await crypto.subtle.importKey("spki", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["encrypt"]);
    const secret = new TextEncoder().encode(JSON.stringify({ p: password, c: challenge }));
    const ciphertext = new Uint8Array(await crypto.subtle.encrypt("RSA-OAEP", key, secret));
    return { password: btoa(String.fromCharCode(...ciphertext)), kid };
  }

  /** Calls `listener` with the tokens whenever they change, in any tab; returns a function that ends that. */
  onTokens(listener: (tokens: Tokens | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #proveAgain(problem?: string): Promise<boolean> {
    const { data: found, response } = await this.api.GET("/api/v1/auth/reauthentication");
    if (!found && response.status !== 404) return false;
    // Without second factors there is no such route.
    const body = await this.prove?.(found?.data ?? { kinds: [], passkeyOptions: null }, problem);
    if (!body) return false;
    const { data, error } = await this.api.POST("/api/v1/auth/reauthentication", { body });
    if (!data) return this.#proveAgain(error.message);
    this.#keep({ ...this.tokens!, ...data.data });
    return true;
  }

  async #exchange(used: string | undefined): Promise<Tokens> {
    const current = this.tokens;
    const isOver = used !== undefined && !current; // logged out meanwhile
    if (isOver || current?.own) throw new ApiError(401, undefined); // whoever acts as somebody cannot refresh
    if (current && current.refreshToken !== used) return current; // another tab was first
    const header = used || !this.#store.cookie ? { "X-Refresh-Token": used ?? "" } : IN_COOKIE;
    // A page that is left while it refreshes would otherwise leave a cookie that is used up.
    const result = await this.api.POST("/api/v1/auth/token/refresh", { params: { header }, keepalive: Boolean(this.#store.cookie) });
    if (result.response.status === 401) this.#keep(undefined); // the session has ended
    const tokens = unwrap(result);
    this.#keep(tokens);
    return tokens;
  }

  #keep(tokens: Tokens | undefined): void {
    this.#store.write(tokens);
    this.#tell(tokens);
  }

  #tell(tokens: Tokens | undefined): void {
    for (const listener of this.#listeners) listener(tokens);
  }

  #authorization(): Middleware {
    const copies = new Map<string, Request>();
    const authorize = (request: Request) => {
      if (this.tokens) request.headers.set("Authorization", `Bearer ${this.tokens.accessToken}`);
      return request;
    };
    return {
      onRequest: ({ id, request, schemaPath }) => {
        const isOwn = schemaPath === LOGOUT && !this.tokens?.own && !this.tokens?.refreshToken; // not of whom one acts as
        if (this.#store.cookie && (isOwn || schemaPath.startsWith(LOGIN))) request.headers.set("X-Refresh-Token", "cookie");
        if (PUBLIC.includes(schemaPath) || schemaPath.startsWith(LOGIN)) return undefined;
        copies.set(id, request.clone());
        return authorize(request);
      },
      onResponse: async ({ id, response, schemaPath }) => {
        const copy = copies.get(id);
        copies.delete(id);
        if (response.status !== 401 || !copy || !this.tokens) return undefined;
        const { error } = await response.clone().json().catch(() => ({}));
        const { own } = this.tokens;
        if (own && error !== "auth.recent_login_required") this.#keep(own); // not repeated: it was meant as somebody else
        if (own || schemaPath.startsWith(LOGOUT)) return response;
        try {
          if (error !== "auth.recent_login_required") await this.refresh();
          else if (!(await this.#proveAgain())) return response;
        } catch {
          return response;
        }
        return fetch(authorize(copy));
      },
      onError: ({ id }) => {
        copies.delete(id);
      },
    };
  }
}

let last: Promise<unknown> = Promise.resolve();

/**
 * Runs one such call at a time, in all tabs. Without locks, or if a browser shows what another tab wrote too late, two tabs
 * exchange the same token: the server gives both the same new tokens.
 */
async function exclusively<T>(call: () => Promise<T>): Promise<T> {
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  if (locks) return (await locks.request("refresh tokens", call)) as T;
  const result = last.then(call);
  last = result.catch(() => undefined);
  return result;
}

function encodeUrl(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
