package io.muond.server;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Forwards TCP connections to a port of the loopback interface, and does to what passes what a plan
 * says.
 */
public final class FaultyProxy implements AutoCloseable {
  /** What becomes of the bytes that were read at a time. */
  public enum Fate {
    /** They are forwarded. */
    PASS,
    /** They are forwarded some milliseconds later. */
    DELAY,
    /** They are forwarded twice, which no TCP does. */
    DUPLICATE,
    /** The first half is forwarded, then the connection is reset. */
    TRUNCATE,
    /** They are lost, and the connection is reset. */
    DROP
  }

  /** Says what becomes of bytes; called by several threads. */
  public interface Plan {
    /**
     * @param bytes how many were read
     */
    Fate next(int bytes);
  }

  private static final int DELAY_MILLIS = 20;

  private final ServerSocket listener;
  private final List<Socket> sockets = new ArrayList<>();
  private final AtomicInteger faults = new AtomicInteger();
  private volatile int target;
  private volatile Plan plan = bytes -> Fate.PASS;

  /** Forwards from a free port to {@code target}, everything at first. */
  public FaultyProxy(int target) throws IOException {
    this.target = target;
    this.listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
    start(this::acceptAll);
  }

  /** Where clients connect. */
  public String address() {
    return "127.0.0.1:" + listener.getLocalPort();
  }

  /** New connections go there from now on. */
  public void setTarget(int port) {
    target = port;
  }

  /** What becomes of everything from now on. */
  public void setPlan(Plan next) {
    plan = next;
  }

  /** How often something else than to be forwarded has become of bytes. */
  public int faults() {
    return faults.get();
  }

  /** Resets every connection; new ones are still taken. */
  public synchronized void cut() {
    for (Socket socket : sockets) {
      reset(socket);
    }
    sockets.clear();
  }

  private static void reset(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      throw new AssertionError("cannot reset a connection", e);
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    cut();
  }

  private void acceptAll() {
    while (!listener.isClosed()) {
      try {
        accept(listener.accept());
      } catch (IOException e) {
        // The listener is closed: nobody is to be connected.
      }
    }
  }

  private void accept(Socket client) throws IOException {
    Socket server;
    prepare(client);
    try {
      server = new Socket(InetAddress.getLoopbackAddress(), target);
    } catch (IOException e) {
      // Nobody is there now.
      client.close();
      return;
    }
    prepare(server);
    synchronized (this) {
      sockets.add(client);
      sockets.add(server);
    }
    start(() -> forward(client, server));
    start(() -> forward(server, client));
  }

  private static void prepare(Socket socket) throws IOException {
    socket.setTcpNoDelay(true);
    // Closing resets the connection, as a crash does.
    socket.setSoLinger(true, 0);
  }

  private void forward(Socket from, Socket to) {
    try (InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream()) {
      byte[] buffer = new byte[65_536];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        if (!forward(buffer, n, out)) {
          break;
        }
      }
    } catch (IOException e) {
      // One side was reset: both are closed now, which is what a proxy is to do.
    }
    reset(from);
    reset(to);
  }

  /** False if the connection is to be reset. */
  private boolean forward(byte[] bytes, int count, OutputStream out) throws IOException {
    Fate fate = plan.next(count);
    if (fate != Fate.PASS) {
      faults.incrementAndGet();
    }
    switch (fate) {
      case PASS -> out.write(bytes, 0, count);
      case DELAY -> {
        sleep();
        out.write(bytes, 0, count);
      }
      case DUPLICATE -> {
        out.write(bytes, 0, count);
        out.write(bytes, 0, count);
      }
      case TRUNCATE -> out.write(bytes, 0, count / 2);
      case DROP -> {}
    }
    return fate != Fate.TRUNCATE && fate != Fate.DROP;
  }

  private static void sleep() {
    try {
      Thread.sleep(DELAY_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void start(Runnable task) {
    Thread thread = new Thread(task, "faulty-proxy");
    thread.setDaemon(true);
    thread.start();
  }
}
