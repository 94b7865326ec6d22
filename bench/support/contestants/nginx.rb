# frozen_string_literal: true

require "etc"
require "fileutils"
require "shellwords"
require_relative "../failure"
require_relative "servers"

module Bench
  module Contestants
    # nginx with one worker, TLS and HTTP/2.
    module NginxServer
      def missing
        "nginx is not installed" unless executable
      end

      def prepare = nil

      private

      # Debian keeps it where only root looks.
      def executable
        ENV.fetch("PATH").split(File::PATH_SEPARATOR).push("/usr/sbin")
           .map { |directory| File.join(directory, "nginx") }.find { |path| File.executable?(path) }
      end

      # Writes the configuration; answers the command.
      def nginx(port, certificate, server)
        directory = File.join(OUTPUT, "nginx-#{port}")
        FileUtils.mkdir_p(directory)
        path = File.join(directory, "nginx.conf")
        File.write(path, configuration(directory, port, certificate, server))
        [executable, "-e", "stderr", "-p", directory, "-c", path, "-g", "daemon off;"]
      end

      def configuration(directory, port, certificate, server)
        <<~CONF
          user #{Etc.getpwuid.name};
          worker_processes 1;
          worker_rlimit_nofile 20000;
          pid #{directory}/nginx.pid;
          events { worker_connections 15000; }
          http {
            access_log off;
            sendfile on;
            default_type text/plain;
            keepalive_requests 100000000;
            client_body_temp_path #{directory}/body;
            proxy_temp_path #{directory}/proxy;
            fastcgi_temp_path #{directory}/fastcgi;
            uwsgi_temp_path #{directory}/uwsgi;
            scgi_temp_path #{directory}/scgi;
            server {
              listen 127.0.0.1:#{port} ssl http2 backlog=1024;
              ssl_certificate #{certificate.cert};
              ssl_certificate_key #{certificate.key};
              ssl_protocols TLSv1.2 TLSv1.3;
              #{server}
            }
          }
        CONF
      end
    end

    # nginx alone, for what needs no Ruby: connections, and a large file.
    class Nginx
      include NginxServer

      APPS = %w[hello download].freeze

      def name = "nginx"

      def serves?(app) = APPS.include?(app)

      # Not compared with servers of Rack apps.
      def reference? = true

      def path(app) = app == "download" ? "/#{File.basename(LARGE_FILE)}" : "/"

      def command(app, port, certificate)
        content = app == "download" ? "root #{File.dirname(LARGE_FILE)};" : "return 200 hello;"
        nginx(port, certificate, "location / { #{content} }")
      end
    end

    # nginx in front of Puma, over a unix socket: what most teams run.
    class NginxPuma < Puma
      include NginxServer

      def name = "nginx+puma"

      def missing = super || ("puma is not installed" unless Contestants.gem?("puma"))

      def command(app, port, certificate)
        socket = File.join(OUTPUT, "puma-#{port}.sock")
        # A connection for each request, as nginx does unless told otherwise: Puma keeps a thread on one that is idle.
        location = <<~CONF
          location / {
            proxy_pass http://unix:#{socket};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Proto https;
          }
        CONF
        # nginx takes the place of the shell, and Puma is its child: the CPU time of both is found.
        ["sh", "-c", "#{puma(app, "unix://#{socket}").shelljoin} & " \
                     "exec #{nginx(port, certificate, location).shelljoin}"]
      end
    end
  end
end
