"""What the eight claims of the paper have in common: each is measured, drawn, told in a line, and checked."""


class Claim:
    """A property that Kingma & Ba (2015) claim of Adam, in their words, and whether it holds by what is measured here."""

    words: str
    verdict: str
    title: str  # of its panel

    def measure(self, settings):
        """Do the work, and keep the numbers as attributes."""
        raise NotImplementedError

    def line(self):
        """The numbers, in a line."""
        raise NotImplementedError

    def draw(self, axes):
        raise NotImplementedError

    def check(self):
        """Raise AssertionError, with the numbers, if the verdict is not what they say."""
        raise NotImplementedError
