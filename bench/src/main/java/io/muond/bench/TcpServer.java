package io.muond.bench;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** Takes tensors off sockets and puts them on sockets, a megabyte at a time. */
final class TcpServer implements Contender.Serving {
  private static final int PIECE = 1 << 20;

  private final Resident tensor;
  private final ServerSocketChannel server;

  TcpServer(long bytes) throws IOException {
    tensor = new Resident(bytes);
    server = ServerSocketChannel.open().bind(new InetSocketAddress(loopback(), 0));
    Thread thread = new Thread(this::accept, "accept");
    thread.setDaemon(true);
    thread.start();
  }

  private static InetAddress loopback() {
    return InetAddress.getLoopbackAddress();
  }

  @Override
  public String address() {
    return "127.0.0.1:" + server.socket().getLocalPort();
  }

  /** One client at a time. */
  private void accept() {
    while (server.isOpen()) {
      try (SocketChannel client = server.accept()) {
        client.setOption(StandardSocketOptions.TCP_NODELAY, true);
        serve(client);
      } catch (EOFException | AsynchronousCloseException e) {
        // The client has gone, or this has.
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    }
  }

  /** A request is a length: positive to push so many bytes, negative to pull them. */
  private void serve(SocketChannel client) throws IOException {
    ByteBuffer request = ByteBuffer.allocateDirect(Long.BYTES);
    while (true) {
      fill(client, request.clear());
      long bytes = request.getLong(0);
      if (bytes > 0) {
        receive(client, tensor, bytes);
        client.write(request.clear().limit(1));
      } else {
        send(client, tensor, -bytes);
      }
    }
  }

  static void receive(SocketChannel from, Resident into, long bytes) throws IOException {
    for (long at = 0; at < bytes; ) {
      ByteBuffer piece = into.piece(at, (int) Math.min(PIECE, bytes - at));
      at += piece.remaining();
      fill(from, piece);
    }
  }

  static void send(SocketChannel to, Resident from, long bytes) throws IOException {
    for (long at = 0; at < bytes; ) {
      ByteBuffer piece = from.piece(at, (int) Math.min(PIECE, bytes - at));
      at += piece.remaining();
      while (piece.hasRemaining()) {
        to.write(piece);
      }
    }
  }

  static void fill(SocketChannel from, ByteBuffer into) throws IOException {
    while (into.hasRemaining()) {
      if (from.read(into) < 0) {
        throw new EOFException("the peer has gone");
      }
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
