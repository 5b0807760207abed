// A handler of XLA for the CPU that steps with fastadam's C interface, in the buffers of JAX. jax_adam.py calls it.
#include <Python.h>

#include <cmath>
#include <cstring>
#include <string>

#include "fastadam.h"
#include "xla/ffi/api/c_api.h"

namespace {

const fastadam_api* api;

XLA_FFI_Error* refuse(const XLA_FFI_CallFrame& call, const std::string& message) {
  XLA_FFI_Error_Create_Args args{XLA_FFI_Error_Create_Args_STRUCT_SIZE, nullptr, message.c_str(),
                                 XLA_FFI_Error_Code_INVALID_ARGUMENT};
  return call.api->XLA_FFI_Error_Create(&args);
}

// Of float64 scalars. NaN, which no option may be, if there is none of this name.
double attribute(const XLA_FFI_Attrs& attrs, const std::string& name) {
  for (int64_t i = 0; i < attrs.size; ++i) {
    if (name != std::string(attrs.names[i]->ptr, attrs.names[i]->len) || attrs.types[i] != XLA_FFI_AttrType_SCALAR) continue;
    const auto* scalar = static_cast<const XLA_FFI_Scalar*>(attrs.attrs[i]);
    if (scalar->dtype == XLA_FFI_DataType_F64) return *static_cast<const double*>(scalar->value);
  }
  return NAN;
}

int64_t size(const XLA_FFI_Buffer& buffer) {
  int64_t elements = 1;
  for (int64_t i = 0; i < buffer.rank; ++i) elements *= buffer.dims[i];
  return elements;
}

const XLA_FFI_Buffer& argument(const XLA_FFI_CallFrame& call, int64_t i) {
  return *static_cast<const XLA_FFI_Buffer*>(call.args.args[i]);
}

const XLA_FFI_Buffer& result(const XLA_FFI_CallFrame& call, int64_t i) {
  return *static_cast<const XLA_FFI_Buffer*>(call.rets.rets[i]);
}

// The results are n parameters, n first and n second moments. The arguments are these in the same memory, n gradients, the
// number of steps so far and, if it is a schedule's, the learning rate. Under vmap all have one more dimension, of which there
// are as many as there are counts.
XLA_FFI_Error* step(const XLA_FFI_CallFrame& call) {
  const int64_t n = call.rets.size / 3, heads = call.args.size - 4 * n;
  if (call.rets.size != 3 * n || heads < 1 || heads > 2) return refuse(call, "unexpected numbers of arguments and results");
  const bool scheduled = heads == 2;
  const XLA_FFI_Buffer& count = argument(call, 4 * n);
  if (count.dtype != XLA_FFI_DataType_S32) return refuse(call, "the count is not int32");
  const int64_t batch = size(count);
  for (int64_t i = 0; i < 4 * n; ++i) {
    if (argument(call, i).dtype != XLA_FFI_DataType_F32) return refuse(call, "an array is not float32");
    if (i < 3 * n && argument(call, i).data != result(call, i).data) return refuse(call, "an array is not updated in place");
  }
  if (scheduled && argument(call, 4 * n + 1).dtype != XLA_FFI_DataType_F32)
    return refuse(call, "the learning rate is not float32");

  const double decoupled = attribute(call.attrs, "decoupled_weight_decay"), threads = attribute(call.attrs, "threads");
  if (std::isnan(decoupled + threads)) return refuse(call, "an option is missing");
  fastadam_adam_options options{attribute(call.attrs, "lr"),
                                attribute(call.attrs, "b1"),
                                attribute(call.attrs, "b2"),
                                attribute(call.attrs, "eps"),
                                attribute(call.attrs, "weight_decay"),
                                decoupled == 1,
                                0};
  for (int64_t i = 0; i < n; ++i) {
    const int64_t part = batch ? size(argument(call, i)) / batch : 0;
    float *const param = static_cast<float*>(result(call, i).data),
                 *const exp_avg = static_cast<float*>(result(call, n + i).data),
                 *const exp_avg_sq = static_cast<float*>(result(call, 2 * n + i).data);
    const float* const grad = static_cast<const float*>(argument(call, 3 * n + i).data);
    for (int64_t b = 0; b < batch; ++b) {
      if (scheduled) options.lr = static_cast<const float*>(argument(call, 4 * n + 1).data)[b];
      const int64_t at = b * part, steps = static_cast<const int32_t*>(count.data)[b];
      if (api->adam_step(param + at, grad + at, exp_avg + at, exp_avg_sq + at, nullptr, part, steps + 1, &options,
                         static_cast<int>(threads)) != FASTADAM_OK) {
        return refuse(call, api->error());
      }
    }
  }
  return nullptr;
}

// XLA also calls a handler to ask for the version of the interface that it was compiled for.
XLA_FFI_Error* handle(XLA_FFI_CallFrame* call) {
  for (auto* extension = call->extension_start; extension; extension = extension->next) {
    if (extension->type != XLA_FFI_Extension_Metadata) continue;
    XLA_FFI_Metadata& metadata = *reinterpret_cast<XLA_FFI_Metadata_Extension*>(extension)->metadata;
    metadata.api_version.major_version = XLA_FFI_API_MAJOR;
    metadata.api_version.minor_version = XLA_FFI_API_MINOR;
    return nullptr;
  }
  return step(*call);
}

PyModuleDef module = {PyModuleDef_HEAD_INIT, "jax_consumer", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_jax_consumer() {
  api = fastadam_import();
  if (!api) return nullptr;
  PyObject* const created = PyModule_Create(&module);
  PyObject* const handler = PyCapsule_New(reinterpret_cast<void*>(&handle), "xla._CUSTOM_CALL_TARGET", nullptr);
  if (!created || !handler || PyModule_AddObject(created, "handler", handler) != 0) return nullptr;
  return created;
}
