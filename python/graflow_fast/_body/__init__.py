"""What a body sees and how it is called, wherever it runs: arguments, its branch's channel, output, items."""
