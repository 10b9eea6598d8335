const PLACE = "place before the provider";

/** Goes to the page of a provider: `providerUrl` of a session, or `url` of `POST …/link`. */
export function leaveForProvider(url: string): void {
  sessionStorage.setItem(PLACE, location.href);
  location.assign(url);
}

/**
 * What the API has sent the browser back with: a `code` for `loginWithCode`, the name of a provider that is `linked` now, or
 * an `error`. Call it when the page loads, before its router: the address becomes again what it was when the user left.
 */
export function returnFromProvider(): { code?: string; linked?: string; error?: string } {
  const values = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (!values.code && !values.linked && !values.error) return {};
  history.replaceState(null, "", sessionStorage.getItem(PLACE) ?? location.pathname);
  sessionStorage.removeItem(PLACE);
  return values;
}
