// The session, who has signed in, what they may do, and whether the server can be reached.
import { ApiError, browserStore, type components, cookieStore, type Data, leaveForProvider, type Proof, type ProofOptions, returnFromProvider, type Route, Session } from "api-client";
import { reactive, shallowRef } from "vue";
import { t } from "./i18n";

export { ApiError, leaveForProvider, type Data, type Route };
export type Schemas = components["schemas"];

const metaOf = (name: string) => document.querySelector<HTMLMetaElement>(`meta[name=console-${name}]`)?.content ?? "";
const store = metaOf("cookie") ? cookieStore() : browserStore();
export const session = new Session(location.origin, store);
export const api = session.api;
export const call = session.call.bind(session);

/** What a provider has sent the browser back with. */
export const returned = returnFromProvider();
/** The permission that this console demands, where it is restricted to its holders; else empty. */
export const REQUIRED = metaOf("permission");
/** The beginnings of the paths that are switched off. */
const ABSENT = metaOf("absent").split(" ").filter(Boolean);

export const me = reactive({
  user: undefined as Schemas["UserInfoResponse"] | undefined,
  /** Permission codes; undefined if the user may not list them: then everything is shown, and the API decides. */
  codes: undefined as Set<string> | undefined,
  signedIn: Boolean(session.tokens ?? store.cookie?.()),
  /** The session ended, and not by signing out in this tab. */
  ended: false,
  offline: false,
});

let leaving = false;
let userId = session.userId;

session.onTokens((tokens) => {
  if (userId && tokens && session.userId !== userId) location.assign("/console/"); // acting, or another login in another tab
  userId = session.userId;
  if (tokens) me.ended = false;
  else if (me.signedIn) me.ended = !leaving;
  if (!tokens) Object.assign(me, { user: undefined, codes: undefined });
  me.signedIn = Boolean(tokens);
});

api.use({
  onResponse: ({ response }) => {
    me.offline = false;
    if (response.status === 403) void identify().catch(() => undefined); // what they may do has changed
  },
  onError: () => void wait(),
});

/** What a message says about a failure. */
export function told(error: unknown): string {
  if (error instanceof DOMException) return t("No passkey was used.");
  return error instanceof ApiError ? error.message : t("The server cannot be reached.");
}

/** The question who the user is, which some routes ask again; App.vue shows it. */
export const question = shallowRef<{ options: ProofOptions; problem: string; answer: (proof?: Proof) => void }>();
session.prove = (options, problem = "") =>
  new Promise((resolve) => {
    const answer = (proof?: Proof) => ((question.value = undefined), resolve(proof));
    question.value = { options, problem, answer };
  });

/** Whether the user may call a route, or send an event, with this permission code, and it is not switched off. */
export function can(code: string | undefined): boolean {
  if (!code) return true;
  if (ABSENT.some((path) => code.includes(path))) return false;
  const isOwn = code.includes(":/api/v1/auth/"); // about one's own account, which takes no permission
  return isOwn || !me.codes || me.codes.has("*") || me.codes.has(code);
}

/** Whether the user may use this console at all; until a first password is changed or a factor added, nobody knows. */
export function admitted(): boolean {
  return !REQUIRED || Boolean(me.user?.mustChangePassword || me.user?.mustAddFactor || (me.codes && can(REQUIRED)));
}

let identifying: Promise<void> | undefined;

/** Loads who has signed in, and what they may do. */
export function identify(): Promise<void> {
  identifying ??= load().finally(() => (identifying = undefined));
  return identifying;
}

async function load(): Promise<void> {
  if (!(await session.restore())) return;
  const user = await call("GET:/api/v1/auth/user/info");
  const { data, response } = await api.GET("/api/v1/permissions/mine");
  if (!data && response.status !== 403) throw new ApiError(response.status, undefined);
  Object.assign(me, { user, codes: data && new Set(data.data) });
}

async function leave(everywhere: boolean): Promise<void> {
  leaving = true;
  await session.logout({ everywhere }).finally(() => (leaving = false));
}

export const signOut = () => leave(false);
export const signOutEverywhere = () => leave(true);

/** While the server cannot be reached, ask every few seconds: nothing tells a page that it is back. */
async function wait(): Promise<void> {
  if (me.offline) return;
  me.offline = true;
  while (me.offline) {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const reached = await fetch("/livez").then((response) => response.ok, () => false);
    if (reached) me.offline = false;
  }
}
