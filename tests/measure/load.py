"""What a process and all that it started costs."""

import psutil


class Load:
    """Counts processor time from when it is made."""

    def __init__(self, pid: int):
        self._root = psutil.Process(pid)
        self._spent = {}
        self.cpu_seconds()

    def cpu_seconds(self) -> float:
        """Returns the processor time since the last call."""
        now = {}
        for process in self._tree():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            now[process.pid] = times.user + times.system
        spent = sum(seconds - self._spent.get(pid, 0.0) for pid, seconds in now.items())
        self._spent = now
        return spent

    def memory(self) -> tuple[float, float]:
        """Returns the proportional set size of the tree and the resident size of its root, in MB."""
        shares = []
        for process in self._tree():
            try:
                shares.append(process.memory_full_info().pss)
            except psutil.Error:
                continue
        return sum(shares) / 1e6, self._root.memory_info().rss / 1e6

    def _tree(self):
        return [self._root, *self._root.children(recursive=True)]
