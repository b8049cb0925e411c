"""Commands that look at no run, one file a subject; each is a function of click, which `cli` puts together."""
