package io.muond.safetensors;

import static io.muond.safetensors.Faults.quote;
import static io.muond.safetensors.Faults.require;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Checks that the tensors cover the data exactly: no hole, no overlap, sizes as shapes say. */
final class HeaderValidator {
  private HeaderValidator() {}

  /**
   * @param dataBytes what the file holds behind the header
   */
  static void validate(Header header, long dataBytes) throws SafetensorsException {
    List<TensorInfo> byOffset = new ArrayList<>(header.tensors());
    byOffset.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
    long end = 0;
    for (TensorInfo tensor : byOffset) {
      requireSize(tensor);
      require(
          tensor.begin() >= end,
          offsets(tensor) + " overlap another tensor (expected: begin at " + end + ")");
      require(
          tensor.begin() == end,
          offsets(tensor) + " leave a hole (expected: begin at " + end + ")");
      require(
          tensor.end() <= dataBytes,
          offsets(tensor) + " pass the end of the file (expected: at most " + dataBytes + ")");
      end = tensor.end();
    }
    require(end == dataBytes, (dataBytes - end) + " bytes behind the last tensor (expected: none)");
  }

  private static void requireSize(TensorInfo tensor) throws SafetensorsException {
    long expected;
    try {
      expected = tensor.dtype().bytes(tensor.elements());
    } catch (ArithmeticException e) {
      throw new SafetensorsException(
          quote(tensor.name())
              + ": "
              + tensor.dtype()
              + " of shape "
              + tensor.shape()
              + " has no size (expected: whole bytes, at most 2^63 - 1)",
          e);
    }
    require(
        tensor.bytes() == expected,
        offsets(tensor)
            + " hold "
            + tensor.bytes()
            + " bytes (expected: "
            + expected
            + " for "
            + tensor.dtype()
            + " of shape "
            + tensor.shape()
            + ")");
  }

  private static String offsets(TensorInfo tensor) {
    return quote(tensor.name()) + ": data_offsets [" + tensor.begin() + ", " + tensor.end() + "]";
  }
}
