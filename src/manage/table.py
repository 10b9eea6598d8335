from collections.abc import Sequence


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, each as wide as its longest cell; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        *cells, last = row
        print(*[cell.ljust(width) for cell, width in zip(cells, widths, strict=False)], last, sep="  ")
