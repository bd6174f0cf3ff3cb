package io.muond.server.engine.cuda;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What goes wrong before a device can be used, in words for whoever runs the machine. */
final class OpeningFailures {
  private static final Pattern MISSING = Pattern.compile("(lib[\\w-]+\\.so[\\w.]*): cannot open");
  private static final Pattern STATUS = Pattern.compile("(CUDA_ERROR|CUBLAS_STATUS)_\\w+");

  private static final String NEWER_DRIVER =
      "expected: an NVIDIA driver for CUDA " + version(Cuda.LEAST_DRIVER) + " or newer";
  private static final String SAME_DRIVER =
      "expected: the libcuda.so.1 that came with the kernel's driver; after an update, restart";
  private static final String ROOM = "expected: a device with room for the engine's buffers";

  /** By the status' name; what is not here speaks for itself. */
  private static final Map<String, String> EXPECTED =
      Map.ofEntries(
          Map.entry(
              "CUDA_ERROR_NO_DEVICE",
              "expected: one that nvidia-smi lists and CUDA_VISIBLE_DEVICES does not hide"),
          Map.entry("CUDA_ERROR_STUB_LIBRARY", "expected: the driver's, not the toolkit's stub"),
          Map.entry("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", SAME_DRIVER),
          Map.entry("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", SAME_DRIVER),
          Map.entry(
              "CUDA_ERROR_SYSTEM_NOT_READY",
              "expected: the services that the machine's GPUs need, such as the fabric manager"),
          Map.entry(
              "CUDA_ERROR_DEVICE_UNAVAILABLE",
              "expected: a device that no other process has for itself alone"),
          Map.entry("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", NEWER_DRIVER),
          Map.entry("CUDA_ERROR_NO_BINARY_FOR_GPU", NEWER_DRIVER),
          Map.entry("CUDA_ERROR_OUT_OF_MEMORY", ROOM),
          Map.entry("CUBLAS_STATUS_ALLOC_FAILED", ROOM),
          Map.entry(
              "CUBLAS_STATUS_NOT_INITIALIZED",
              "expected: a libcublas.so.12 that suits the driver, and room on the device"));

  private OpeningFailures() {}

  /** 12060 is 12.6. */
  static String version(int number) {
    return number / 1000 + "." + number % 1000 / 10;
  }

  /** The library that is missing, out of a message that may be a page long, or its first line. */
  static String ofLibrary(Throwable cause) {
    String message = String.valueOf(cause.getMessage());
    Matcher missing = MISSING.matcher(message);
    if (!missing.find()) {
      return message.lines().findFirst().orElse("") + " of " + cause.getClass().getSimpleName();
    }
    String from = missing.group(1).startsWith("libcuda.") ? "the NVIDIA driver" : "CUDA 12";
    return "there is no "
        + missing.group(1)
        + " (expected: that of "
        + from
        + ", where the loader finds it: LD_LIBRARY_PATH, or ldconfig -p)";
  }

  /** A call that failed, by a message with the status' name in it. */
  static String ofCall(String message) {
    Matcher status = STATUS.matcher(message);
    String line = String.join("; ", message.lines().map(String::strip).toList());
    String expected = status.find() ? EXPECTED.get(status.group()) : null;
    return "no device comes up: " + line + (expected == null ? "" : " (" + expected + ')');
  }
}
