# What values() and items() give. As those of collections.abc, but a key that others delete meanwhile is left out.
from collections.abc import ItemsView, ValuesView

_gone = object()


class Items(ItemsView):
    def __iter__(self):
        for key in self._mapping:
            value = self._mapping.get(key, _gone)
            if value is not _gone:
                yield key, value

    def __contains__(self, item):
        key, value = item
        found = self._mapping.get(key, _gone)
        return found is not _gone and (found is value or found == value)


class Values(ValuesView):
    def __iter__(self):
        for _, value in Items(self._mapping):
            yield value

    def __contains__(self, value):
        return any(found is value or found == value for found in self)
