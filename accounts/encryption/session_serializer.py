"""Encrypts stored sessions: they contain seeds of authenticator apps being set up, and forms."""

from typing import Any

from django.core.signing import JSONSerializer

from accounts.encryption import cipher


class SessionSerializer(JSONSerializer):
    """Encrypted JSON. Sessions stored before encryption existed are read in clear."""

    def dumps(self, obj: Any) -> bytes:
        return cipher.encrypt(super().dumps(obj).decode("latin-1")).encode()

    def loads(self, data: bytes) -> Any:
        return super().loads(cipher.decrypt(data.decode("latin-1")).encode("latin-1"))
