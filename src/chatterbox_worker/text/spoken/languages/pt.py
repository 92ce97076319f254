from chatterbox_worker.text.spoken.rules import Rules

RULES = Rules(locale="pt")
