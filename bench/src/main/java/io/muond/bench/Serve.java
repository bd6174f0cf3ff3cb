package io.muond.bench;

import io.muond.units.ProcessUse;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * The process of a server: {@code Serve CONTENDER BYTES}. Says its address, then what it has used
 * for each line that it is told, until there are none.
 */
final class Serve {
  private Serve() {}

  public static void main(String[] args) throws Exception {
    Contender contender = Contender.valueOf(args[0]);
    try (Contender.Serving server = contender.serve(Long.parseLong(args[1]));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      System.out.println(server.address());
      while (lines.readLine() != null) {
        ProcessUse use = ProcessUse.now();
        System.out.println(use.cpuSeconds() + " " + use.allocatedBytes());
      }
    }
    System.exit(0);
  }
}
