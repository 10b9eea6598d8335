"""E-mails: written from templates, and handed to a mail server.

    mail = render("password_reset", "en", username="ada", link="https://…")
    await send(settings.email, "ada@example.com", mail)

- `rendering.py`: subject, text and HTML of a mail, from `templates/NAME/LANGUAGE.txt` and `.html`
- `smtp.py`: sends one mail, by `client.py`; errors tell if the server is unavailable, refuses the mail, or may have it

Only tasks send: requests ask `EmailService`, in `src/services/email.py`, for a mail.
"""
