"""What the clients believe is there, so that most of what they ask makes sense. It may be wrong at any time."""

import threading
import uuid

SLOTS = "abcdef"
LOST_AT_MOST = 2  # changes with a lost reply, for each slot and era: each of them doubles what may have happened


class Known:
    def __init__(self, image, name, slot, size, parent, stable):
        self.image, self.name, self.slot, self.size = image, name, slot, size
        self.parent, self.stable = parent, stable  # a stable name is never given to another image


class View:
    def __init__(self):
        self.lock = threading.Lock()
        self.images = {}
        self.lost = dict.fromkeys(SLOTS, 0)
        self.tags = 0
        self.made = 0

    def new_tag(self):
        with self.lock:
            self.tags += 1
            return self.tags

    def new_name(self, rng, slot):
        """A name, and whether nobody else ever gets it."""
        with self.lock:
            self.made += 1
            return (f"{slot}-s{self.made}", True) if rng.random() < 0.7 else (f"{slot}-{rng.randrange(4)}", False)

    def pick(self, rng, slot=None, wanted=lambda known: True):
        with self.lock:
            fit = [known for known in self.images.values() if slot in (None, known.slot) and wanted(known)]
        return rng.choice(fit) if fit else None

    def leaf(self, known):
        return not any(other.parent == known.image for other in list(self.images.values()))

    def count(self, slot):
        with self.lock:
            return sum(known.slot == slot for known in self.images.values())

    def add(self, known):
        with self.lock:
            self.images[known.image] = known

    def remove(self, image):
        with self.lock:
            self.images.pop(image, None)

    def may_lose(self, slot):
        with self.lock:
            self.lost[slot] += 1
            return self.lost[slot] <= LOST_AT_MOST

    def new_era(self):
        with self.lock:
            self.lost = dict.fromkeys(SLOTS, 0)


def new_uuid(rng):
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
