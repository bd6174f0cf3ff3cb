package io.muond.safetensors;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

final class MalformedFileTest {
  private static final String W = "{'w':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}";

  @TempDir Path directory;

  static Stream<Arguments> headers() {
    return Stream.of(
        arguments("", 0, "does not begin with '{'"),
        arguments(" {}", 0, "does not begin with '{'"),
        arguments("[]", 0, "does not begin with '{'"),
        arguments("{", 0, "not valid JSON near $"),
        arguments("{'w'}", 0, "not valid JSON near $.w"),
        arguments("{'w':7}", 0, "not valid JSON near $.w"),
        arguments("{} {}", 0, "not valid JSON"),
        arguments("{}}", 0, "not valid JSON"),
        arguments("{'w\n':7}", 0, "not valid JSON"),
        arguments("{'w':{}}", 0, "\"w\": incomplete (expected: dtype, shape and data_offsets)"),
        arguments("{'w':{'type':'F32'}}", 0, "\"w\": unknown key \"type\""),
        arguments("{'w':{'dtype':'F31'}}", 0, "\"w\".dtype: \"F31\" (expected one of [BOOL,"),
        arguments("{'w':{'dtype':'F32','dtype':'F32'}}", 0, "\"w\".dtype: given twice"),
        arguments("{'w':{'shape':[-1]}}", 0, "\"w\".shape: -1 (expected: integers from 0"),
        arguments("{'w':{'shape':[1.5]}}", 0, "\"w\".shape: 1.5 (expected: integers from 0"),
        arguments("{'w':{'shape':['1']}}", 0, "\"w\".shape: STRING (expected: integers from 0"),
        arguments("{'w':{'shape':[9223372036854775808]}}", 0, "\"w\".shape: 9223372036854775808"),
        arguments(W + ",'w':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}}", 8, "given twice"),
        arguments("{'__metadata__':{'a':1}}", 0, "__metadata__.a: NUMBER (expected: a string)"),
        arguments("{'__metadata__':{'a':'','a':''}}", 0, "__metadata__.a: given twice"),
        arguments("{'__metadata__':{},'__metadata__':{}}", 0, "__metadata__: given twice"),
        arguments(
            "{'w':{'dtype':'F32','shape':[2],'data_offsets':[0,8,8]}}",
            8,
            "\"w\".data_offsets: [0, 8, 8] (expected: begin and end)"),
        arguments(
            "{'w':{'dtype':'F64','shape':[2],'data_offsets':[0,8]}}",
            8,
            "\"w\": data_offsets [0, 8] hold 8 bytes (expected: 16 for F64 of shape [2])"),
        arguments("{'w':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}}", 8, "hold -8 bytes"),
        arguments("{'w':{'dtype':'F4','shape':[3],'data_offsets':[0,2]}}", 2, "has no size"),
        arguments(
            "{'w':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,0]}}",
            0,
            "F32 of shape [4294967296, 4294967296] has no size"),
        arguments(
            "{'w':{'dtype':'F64','shape':[2305843009213693952],'data_offsets':[0,0]}}",
            0,
            "has no size"),
        arguments(
            W + ",'v':{'dtype':'U8','shape':[1],'data_offsets':[7,8]}}",
            8,
            "\"v\": data_offsets [7, 8] overlap another tensor (expected: begin at 8)"),
        arguments(
            W + ",'v':{'dtype':'U8','shape':[0],'data_offsets':[4,4]}}",
            8,
            "\"v\": data_offsets [4, 4] overlap another tensor"),
        arguments(
            W + ",'v':{'dtype':'U8','shape':[1],'data_offsets':[9,10]}}",
            10,
            "\"v\": data_offsets [9, 10] leave a hole (expected: begin at 8)"),
        arguments(W + "}", 7, "\"w\": data_offsets [0, 8] pass the end of the file"),
        arguments(W + "}", 9, "1 bytes behind the last tensor (expected: none)"));
  }

  @ParameterizedTest
  @MethodSource("headers")
  void refusesTheHeader(String header, int dataBytes, String fault) throws IOException {
    byte[] json = header.replace('\'', '"').getBytes(UTF_8);
    assertRefused(file(json.length, json, dataBytes), fault);
  }

  @Test
  void refusesTruncatedFilesOfEveryLength() throws IOException {
    byte[] json = (W + "}").replace('\'', '"').getBytes(UTF_8);
    byte[] whole = file(json.length, json, 8);
    for (int length = 0; length < whole.length; length++) {
      assertRefused(Arrays.copyOf(whole, length), "");
    }
  }

  @Test
  void refusesHeadersThatAreTooLong() throws IOException {
    assertRefused(
        file(100_000_001, new byte[0], 0), "header of 100000001 bytes (expected: at most");
    assertRefused(file(-1, new byte[0], 0), "header of 18446744073709551615 bytes");
    assertRefused(
        file(3, new byte[] {'{', '}'}, 0), "header of 3 bytes in a file of 10: truncated");
  }

  @Test
  void refusesWhatIsNoFile() {
    Path none = directory.resolve("none");
    assertThatThrownBy(() -> SafetensorsFile.open(none)).hasMessage(none + ": no such file");
    assertThatThrownBy(() -> SafetensorsFile.open(directory))
        .hasMessage(directory + ": not a safetensors file (a directory)");
  }

  @Test
  void refusesInvalidUtf8() throws IOException {
    assertRefused(file(3, new byte[] {'{', (byte) 0xff, '}'}, 0), "header is not UTF-8");
  }

  @Test
  void errorsAreOneLineHoweverTheTensorIsCalled() throws IOException {
    byte[] json = "{\"a\\nb\":{\"dtype\":\"x\\r\"}}".getBytes(UTF_8);
    assertRefused(file(json.length, json, 0), "\"a\\u000ab\".dtype: \"x\\u000d\"");
  }

  private void assertRefused(byte[] content, String fault) throws IOException {
    Path path = Files.write(directory.resolve("bad.safetensors"), content);
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .isInstanceOf(SafetensorsException.class)
        .hasMessageStartingWith(path + ": not a safetensors file (")
        .hasMessageContaining(fault)
        .hasMessageNotContainingAny("\n", "\r");
  }

  private static byte[] file(long headerLength, byte[] header, int dataBytes) {
    return ByteBuffer.allocate(Long.BYTES + header.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(headerLength)
        .put(header)
        .array();
  }
}
