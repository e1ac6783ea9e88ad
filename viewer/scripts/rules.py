"""The page Rules."""

from viewer import rules_page

rules_page.draw()
