"""What was asked and answered, kept only where AOS_STORE_PROMPTS says so, redacted of keys."""

from aos.usage.contents.model import CallContent, content_of
from aos.usage.contents.store import find_content, record_contents

__all__ = ["CallContent", "content_of", "find_content", "record_contents"]
