# frozen_string_literal: true

require "fileutils"
require "openssl"
require_relative "failure"

module Bench
  # The certificate of all servers: what a handshake costs depends on the kind of key.
  class Certificate
    LIFETIME = 24 * 60 * 60

    attr_reader :cert, :key

    # Writes a new self-signed certificate for localhost (ECDSA P-256).
    def initialize(directory = OUTPUT)
      @cert = File.join(directory, "cert.pem")
      @key = File.join(directory, "key.pem")
      FileUtils.mkdir_p(directory)
      key = OpenSSL::PKey::EC.generate("prime256v1")
      File.write(@key, key.to_pem, perm: 0o600)
      File.write(@cert, sign(key).to_pem)
    end

    private

    def sign(key)
      name = OpenSSL::X509::Name.parse("/CN=localhost")
      OpenSSL::X509::Certificate.new.tap do |certificate|
        certificate.version = 2
        certificate.serial = 1
        certificate.subject = certificate.issuer = name
        certificate.public_key = key
        certificate.not_before = Time.now - 60
        certificate.not_after = Time.now + LIFETIME
        certificate.add_extension(OpenSSL::X509::ExtensionFactory.new.create_extension("subjectAltName",
                                                                                       "DNS:localhost,IP:127.0.0.1"))
        certificate.sign(key, OpenSSL::Digest.new("SHA256"))
      end
    end
  end
end
