/** Asks for a passkey that the user has: the browser shows which ones. Fails with a `DOMException` if they do not use any. */
export async function askPasskey(options: object): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON);
  return toJson(await navigator.credentials.get({ publicKey }));
}

/** Makes a passkey, on this device or on one that the user chooses. */
export async function makePasskey(options: object): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as PublicKeyCredentialCreationOptionsJSON);
  return toJson(await navigator.credentials.create({ publicKey }));
}

const toJson = (credential: Credential | null) => (credential as PublicKeyCredential).toJSON() as Record<string, unknown>;
