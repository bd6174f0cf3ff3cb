package io.muond.client;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Forwards TCP connections to a port until it is told to cut them. */
public final class CuttingProxy implements AutoCloseable {
  private final ServerSocket listener;
  private final int target;
  private final List<Socket> sockets = new ArrayList<>();
  private final AtomicInteger connections = new AtomicInteger();

  /** Forwards from a free port to a port of the loopback interface. */
  public CuttingProxy(int target) throws IOException {
    this(target, 0);
  }

  /** Forwards from one port to another. */
  public CuttingProxy(int target, int port) throws IOException {
    this.target = target;
    this.listener = new ServerSocket(port, 16, InetAddress.getLoopbackAddress());
    start(this::acceptAll);
  }

  /** Where clients connect. */
  public String address() {
    return "127.0.0.1:" + listener.getLocalPort();
  }

  /** The port where clients connect. */
  public int port() {
    return listener.getLocalPort();
  }

  /** How many connections have come so far. */
  public int connections() {
    return connections.get();
  }

  /** Resets every connection; new ones are still taken. */
  public synchronized void cut() {
    for (Socket socket : sockets) {
      try {
        socket.close();
      } catch (IOException e) {
        throw new AssertionError("cannot cut a connection", e);
      }
    }
    sockets.clear();
  }

  @Override
  public void close() throws IOException {
    listener.close();
    cut();
  }

  private void acceptAll() {
    while (!listener.isClosed()) {
      try {
        Socket client = listener.accept();
        Socket server = new Socket(InetAddress.getLoopbackAddress(), target);
        prepare(client);
        prepare(server);
        connections.incrementAndGet();
        synchronized (this) {
          sockets.add(client);
          sockets.add(server);
        }
        start(() -> forward(client, server));
        start(() -> forward(server, client));
      } catch (IOException e) {
        // The listener or the server behind it is closed: nobody is to be connected.
      }
    }
  }

  private static void prepare(Socket socket) throws IOException {
    socket.setTcpNoDelay(true);
    // Closing resets the connection, as a crash does.
    socket.setSoLinger(true, 0);
  }

  private static void forward(Socket from, Socket to) {
    try (InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream()) {
      byte[] buffer = new byte[65_536];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        out.write(buffer, 0, n);
      }
    } catch (IOException e) {
      // One side was cut: both are closed now, which is what a proxy is to do.
    }
  }

  private static void start(Runnable task) {
    Thread thread = new Thread(task, "cutting-proxy");
    thread.setDaemon(true);
    thread.start();
  }
}
