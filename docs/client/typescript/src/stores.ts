import type { components } from "./generated/rest.ts";

export interface Tokens extends Readonly<components["schemas"]["TokenResponse"]> {
  /** One's own tokens, while one acts as somebody else. */
  own?: Tokens;
}

/** Where a session keeps its tokens. */
export interface TokenStore {
  /** If there is this method, the refresh token is in a cookie of the API, as far as the API allows that; whether it may be there. */
  cookie?(): boolean;
  read(): Tokens | undefined;
  write(tokens: Tokens | undefined): void;
  /** Calls `listener` whenever another tab or process has written. */
  onChange?(listener: (tokens: Tokens | undefined) => void): void;
}

/** Forgets the tokens with the page. */
export function memoryStore(): TokenStore {
  let kept: Tokens | undefined;
  return { read: () => kept, write: (tokens) => void (kept = tokens) };
}

/** Shares the tokens with the other tabs, and keeps them when all are closed. Scripts of the page can read them. */
export function browserStore(key = "tokens"): TokenStore {
  const read = () => JSON.parse(localStorage.getItem(key) ?? "null") ?? undefined;
  return {
    read,
    write: (tokens) => (tokens ? localStorage.setItem(key, JSON.stringify(tokens)) : localStorage.removeItem(key)),
    onChange: (listener) => addEventListener("storage", (event) => event.key === key && listener(read())),
  };
}

/**
 * Has the refresh token kept in a cookie, which no script can read, where the API has `REFRESH_COOKIE_ENABLED`. The access
 * token survives a reload; each tab gets one of its own by the cookie: call `restore` first.
 */
export function cookieStore(key = "tokens"): TokenStore {
  const mark = `${key}-cookie`;
  return {
    read: () => JSON.parse(sessionStorage.getItem(key) ?? "null") ?? undefined,
    write: (tokens) => {
      tokens ? sessionStorage.setItem(key, JSON.stringify(tokens)) : sessionStorage.removeItem(key);
      tokens ? localStorage.setItem(mark, "1") : localStorage.removeItem(mark);
    },
    onChange: (listener) =>
      addEventListener("storage", (event) => {
        if (event.key !== mark || event.newValue) return; // another tab has logged in
        sessionStorage.removeItem(key);
        listener(undefined);
      }),
    cookie: () => localStorage.getItem(mark) !== null,
  };
}
