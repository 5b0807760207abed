"""``python -m fastadam``; fastadam/commands/ has the command line."""

from fastadam.commands.parser import main

if __name__ == "__main__":
    main()
