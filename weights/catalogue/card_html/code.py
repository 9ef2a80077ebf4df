"""Highlights code with CSS classes.

All lexers are imported here, since a sandboxed process cannot import them later.
"""

from django.utils.html import escape
from pygments import highlight as pygments_highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers.c_cpp import CLexer, CppLexer
from pygments.lexers.configs import DockerLexer, IniLexer, TOMLLexer
from pygments.lexers.data import JsonLexer, YamlLexer
from pygments.lexers.diff import DiffLexer
from pygments.lexers.html import HtmlLexer, XmlLexer
from pygments.lexers.javascript import JavascriptLexer, TypeScriptLexer
from pygments.lexers.julia import JuliaLexer
from pygments.lexers.markup import TexLexer
from pygments.lexers.python import PythonConsoleLexer, PythonLexer
from pygments.lexers.r import SLexer
from pygments.lexers.rust import RustLexer
from pygments.lexers.shell import BashLexer, BashSessionLexer
from pygments.lexers.sql import SqlLexer
from pygments.token import STANDARD_TYPES

PREFIX = "hl-"
CLASSES = {f"{PREFIX}{name}" for name in STANDARD_TYPES.values() if name}
#: Characters; longer code is not highlighted.
_MAX_LENGTH = 20_000
_KINDS: tuple[type[Lexer], ...] = (
    *(BashLexer, BashSessionLexer, CLexer, CppLexer, DiffLexer, DockerLexer, HtmlLexer, IniLexer),
    *(JavascriptLexer, JsonLexer, JuliaLexer, PythonConsoleLexer, PythonLexer, RustLexer, SLexer),
    *(SqlLexer, TOMLLexer, TexLexer, TypeScriptLexer, XmlLexer, YamlLexer),
)
_LEXERS = {alias: kind for kind in _KINDS for alias in kind.aliases}
_FORMATTER = HtmlFormatter(nowrap=True, classprefix=PREFIX)


def highlight(content: str, language: str, attributes: str) -> str:
    """HTML of a code block's content; only escaped if the language is unknown."""
    lexer = _LEXERS.get(language.lower())
    if lexer is None or len(content) > _MAX_LENGTH:
        return escape(content)
    return str(pygments_highlight(content, lexer(stripnl=False), _FORMATTER))
