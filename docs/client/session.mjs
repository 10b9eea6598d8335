// A login session that refreshes its tokens automatically when the access token has expired. Runs in browsers, too.
export class Session {
  #tokens;
  #refreshing;

  constructor(api, tokens, store = () => {}) {
    this.api = api;
    this.store = store; // called with each new token pair, to share it with other tabs
    this.#keep(tokens);
  }

  static async login(api, username, password, store) {
    const key = await fetch(`${api}/auth/keys/public`).then(data);
    const body = { username, password: await encrypt(key, password), kid: key.kid };
    return new Session(api, await post(`${api}/auth/login`, body), store);
  }

  async call(path, options = {}) {
    const response = await this.#send(path, options);
    if (response.status !== 401) return data(response);
    await this.refresh();
    return data(await this.#send(path, options));
  }

  // Concurrent calls share one refresh. Two tabs may refresh with the same token within ten seconds: they get the same pair.
  refresh() {
    this.#refreshing ??= post(`${this.api}/auth/token/refresh`, undefined, { "X-Refresh-Token": this.#tokens.refreshToken })
      .then((tokens) => this.#keep(tokens))
      .finally(() => { this.#refreshing = undefined; });
    return this.#refreshing;
  }

  logout() {
    return this.call("/auth/logout", { method: "POST" });
  }

  #keep(tokens) {
    this.#tokens = tokens;
    this.store(tokens);
  }

  #send(path, options) {
    return fetch(this.api + path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${this.#tokens.accessToken}` } });
  }
}

async function encrypt({ publicKey, challenge }, password) {
  const der = Uint8Array.from(atob(publicKey.replace(/-----.*-----|\s/g, "")), (character) => character.charCodeAt(0));
  const key = await crypto.subtle.importKey("spki", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["encrypt"]);
  const secret = new TextEncoder().encode(JSON.stringify({ p: password, c: challenge }));
  return btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.encrypt("RSA-OAEP", key, secret))));
}

function post(url, body, headers = {}) {
  return fetch(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } }).then(data);
}

async function data(response) {
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.message), { status: response.status, error: body.error });
  return body.data;
}
