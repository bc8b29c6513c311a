"""A hook of mkdocs: links from the pages to files of the repository lead to the repository, where it is known."""

import re
from typing import Any

_OUT = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?:\.\./)+([^)\s]*)\)")  # [text](../file)
_DEFINITION = re.compile(r"^(\[[^\]]+\]): (?:\.\./)+(\S+)$", re.MULTILINE)  # [name]: ../file
_REFERENCE = re.compile(r"\[([^\[\]]+)\]\[([^\[\]]+)\]")  # [text][name]


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Return a page whose links out of ``docs`` name the repository, or are the text alone."""
    if page.file.src_uri.startswith("reference/"):
        return markdown
    if config.repo_url:
        tree = f"{config.repo_url.rstrip('/')}/blob/main/"
        return _DEFINITION.sub(rf"\1: {tree}\2", _OUT.sub(rf"[\1]({tree}\2)", markdown))
    named = {name for name, _ in _DEFINITION.findall(markdown)}
    plain = _DEFINITION.sub("", _OUT.sub(r"\1", markdown))
    return _REFERENCE.sub(lambda match: match[1] if f"[{match[2]}]" in named else match[0], plain)
