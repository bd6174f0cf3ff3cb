package io.muond.kernels;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;

/** The PTX compiler of CUDA 12.0 that is part of JCuda's natives; it needs no GPU. */
final class PtxCompiler {
  /** What ptxas says of a kernel. */
  record Usage(int registers, int sharedBytes, int stackBytes, int spilledBytes) {}

  private static final Pattern FUNCTION = Pattern.compile("Function properties for (\\w+)");
  private static final Pattern STACK =
      Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill");
  private static final Pattern REGISTERS = Pattern.compile("Used (\\d+) registers");
  private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");

  private PtxCompiler() {}

  /** Compiles a PTX file, ended by a zero byte, for e.g. {@code sm_80}; usage by kernel. */
  static Map<String, Usage> compile(byte[] ptx, String architecture) {
    nvPTXCompilerHandle compiler = new nvPTXCompilerHandle();
    check(JNvPTXCompiler.nvPTXCompilerCreate(compiler, ptx.length, ptx), "create");
    try {
      String[] options = {"--gpu-name=" + architecture, "--verbose"};
      int status = JNvPTXCompiler.nvPTXCompilerCompile(compiler, options.length, options);
      if (status != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
        throw new AssertionError(architecture + ": " + errorLog(compiler));
      }
      return usages(infoLog(compiler));
    } finally {
      check(JNvPTXCompiler.nvPTXCompilerDestroy(compiler), "destroy");
    }
  }

  private static void check(int status, String what) {
    if (status != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
      throw new AssertionError(what + ": " + nvPTXCompileResult.stringFor(status));
    }
  }

  private static String errorLog(nvPTXCompilerHandle compiler) {
    long[] size = new long[1];
    check(JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(compiler, size), "error log");
    byte[] log = new byte[Math.toIntExact(size[0]) + 1];
    check(JNvPTXCompiler.nvPTXCompilerGetErrorLog(compiler, log), "error log");
    return new String(log, StandardCharsets.UTF_8).trim();
  }

  private static String infoLog(nvPTXCompilerHandle compiler) {
    long[] size = new long[1];
    check(JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(compiler, size), "information log");
    byte[] log = new byte[Math.toIntExact(size[0]) + 1];
    check(JNvPTXCompiler.nvPTXCompilerGetInfoLog(compiler, log), "information log");
    return new String(log, StandardCharsets.UTF_8).trim();
  }

  private static Map<String, Usage> usages(String log) {
    Map<String, Usage> usages = new TreeMap<>();
    String[] functions = FUNCTION.split(log, -1);
    Matcher names = FUNCTION.matcher(log);
    for (int i = 1; i < functions.length && names.find(); i++) {
      Matcher stack = STACK.matcher(functions[i]);
      if (!stack.find()) {
        throw new AssertionError("no stack frame of " + names.group(1) + " in " + log);
      }
      int spilled = Integer.parseInt(stack.group(2)) + Integer.parseInt(stack.group(3));
      usages.put(
          names.group(1),
          new Usage(
              number(REGISTERS, functions[i], -1),
              number(SHARED, functions[i], 0),
              Integer.parseInt(stack.group(1)),
              spilled));
    }
    return usages;
  }

  private static int number(Pattern pattern, String in, int otherwise) {
    Matcher found = pattern.matcher(in);
    return found.find() ? Integer.parseInt(found.group(1)) : otherwise;
  }
}
