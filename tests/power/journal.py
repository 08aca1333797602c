"""What was asked and answered, each with the place of the disk's log at that time: it tells what holds at any cut."""

import copy
import threading

from oracle import Image, Oracle

CALLS = ("begin_write", "end_write", "durable", "begin_row", "end_row", "forget_row")
FIELDS = ("owner", "state", "rows")
ANSWERED = ("end_write", "durable", "end_row", "state", "remove")


class Journal:
    def __init__(self, position):
        self.position = position
        self.events = []  # (place, what, id, arguments)
        self.lock = threading.Lock()
        self.open = True

    def note(self, what, ident, *arguments):
        if self.open:
            with self.lock:
                self.events.append((self.position(), what, ident, arguments))

    def promises(self):
        """The places at which something was answered."""
        return [place for place, what, _, _ in self.events if what in ANSWERED]

    def until(self, place):
        """What holds when the power is cut at this place of the log: all that was answered before it counts."""
        oracle, known = Oracle(), {}
        for at, what, ident, arguments in self.events:
            if at > place:
                break
            if what == "add":
                known[ident] = added(known, ident, *copy.deepcopy(arguments))
                oracle.add(known[ident])
            elif ident not in known:
                continue  # it will come with "add"
            elif what == "remove":
                oracle.remove(known[ident])
            elif what in FIELDS:
                setattr(known[ident], what, copy.deepcopy(arguments[0]))
            else:
                getattr(known[ident], what)(*arguments[0], **arguments[1])
        for image in oracle.images.values():
            image.crashed()
        return oracle


def added(known, ident, size, parent, owner, state, rows):
    image = Image(ident, size, known.get(parent), rows[0])
    image.owner, image.state, image.rows = owner, state, rows
    return image


class NotingOracle(Oracle):
    def __init__(self, journal):
        super().__init__()
        self.journal = journal

    def add(self, image):
        parent = image.parent.id if image.parent else None
        self.journal.note("add", image.id, image.size, parent, image.owner, image.state, copy.deepcopy(image.rows))
        super().add(image)

    def remove(self, image):
        self.journal.note("remove", image.id)
        super().remove(image)


def noting_image(journal):
    """The class of images that tell the journal whatever is done to them."""

    class NotingImage(Image):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name in FIELDS:
                journal.note(name, self.id, copy.deepcopy(value))

    def noting(name):
        method = getattr(Image, name)

        def call(self, *arguments, **more):
            journal.note(name, self.id, arguments, more)
            return method(self, *arguments, **more)

        return call

    for name in CALLS:
        setattr(NotingImage, name, noting(name))
    return NotingImage
