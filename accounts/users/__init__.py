"""User accounts: sign-up, sign-in, passkeys, second factor, re-authentication, throttling."""
