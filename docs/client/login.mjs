// Log in with only fetch and WebCrypto, in Node or a browser.
const api = globalThis.process?.env.API ?? "http://localhost:16000/api/v1";
const call = async (path, options) => (await (await fetch(api + path, options)).json()).data;

const { kid, publicKey, challenge } = await call("/auth/keys/public");
const der = Uint8Array.from(atob(publicKey.replace(/-----.*-----|\s/g, "")), (character) => character.charCodeAt(0));
const key = await crypto.subtle.importKey("spki", der, { name: "RSA-OAEP", hash: "SHA-256" }, false, ["encrypt"]);
const secret = new TextEncoder().encode(JSON.stringify({ p: "123456", c: challenge }));
const password = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.encrypt("RSA-OAEP", key, secret))));
const body = JSON.stringify({ username: "admin", password, kid });
const tokens = await call("/auth/login", { method: "POST", headers: { "Content-Type": "application/json" }, body });

const user = await call("/auth/user/info", { headers: { Authorization: `Bearer ${tokens.accessToken}` } });
console.log(`Logged in as ${user.username}.`);
