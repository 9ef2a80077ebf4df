"""People: sign-up, sign-in, usernames, passkeys, second factor, re-authentication, throttling."""
