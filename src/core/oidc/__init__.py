"""Logins with OpenID providers: what is asked of them, and what of their answers is believed.

    provider = OidcProvider("google", settings.oidc, allows_http=False)
    url = await provider.authorization_url(state, nonce=nonce, verifier=verifier)
    identity = await provider.redeem(code, nonce=nonce, verifier=verifier)

- `provider.py`: one provider: where the browser goes, the exchange of a code, ID tokens and logout tokens
- `published.py`: its discovery document and its keys, and the signatures that they verify
- `contact.py`: requests to it, with a time limit and a size limit, and without redirects
- `identity.py`: who has logged in, from verified claims
- `errors.py`: what goes wrong

Authlib, joserfc and httpx2 do the work. The first login imports them: nothing else imports the first three files.
"""
