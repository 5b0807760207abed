"""Arrays of other libraries, for tests: GPU arrays that have nothing but one protocol."""


class Interface:
    """An array that has nothing but ``__cuda_array_interface__``."""

    def __init__(self, array, read_only=False, **more):
        self._array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.data.ptr, read_only),
            "strides": None if array.flags.c_contiguous else array.strides,
            "version": 3,
        } | more


class Exporter:
    """An array that exports DLPack, as torch's do, or fails with an error."""

    def __init__(self, array, error=None):
        self._array, self._error = array, error

    def __dlpack_device__(self):
        return (2, self._array.data.device_id)

    def __dlpack__(self, **options):
        if self._error:
            raise self._error
        return self._array.__dlpack__(**options)

    def exported(self):
        """For the stand-in of cuda_host.py, whose arrays CuPy cannot export."""
        if self._error:
            raise self._error
        return self._array
